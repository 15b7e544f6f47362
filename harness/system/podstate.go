package system

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
)

// rewatchEvery keeps a watch that is refused from becoming a flood.
const rewatchEvery = 200 * time.Millisecond

// podState is what Kubernetes says of a Pod, to its end: the last word of a Pod is its exit
// code, which is gone with it.
type podState struct {
	pods typed.PodInterface
	name string
	stop context.CancelFunc
	// ran is closed when its container has begun, gone when there is no Pod any more.
	ran, gone chan struct{}
	running   sync.WaitGroup

	mu   sync.Mutex
	last *corev1.Pod
}

// followPod watches until the Pod is gone, or close.
func followPod(ctx context.Context, pods typed.PodInterface, pod *corev1.Pod) *podState {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &podState{pods: pods, name: pod.Name, stop: stop, ran: make(chan struct{}), gone: make(chan struct{}), last: pod}
	s.running.Go(func() {
		defer close(s.gone)
		for ctx.Err() == nil && !s.watch(ctx) {
			pause(ctx, rewatchEvery)
		}
	})
	return s
}

// watch follows one watch and reports whether the Pod is gone.
func (s *podState) watch(ctx context.Context) bool {
	current, err := s.pods.Get(ctx, s.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true
	}
	if err != nil {
		return false
	}
	s.see(current)
	w, err := s.pods.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + s.name, ResourceVersion: current.ResourceVersion})
	if err != nil {
		return false
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			return false // the watch is too old, or in error: begin again
		}
		s.see(pod)
		if event.Type == watch.Deleted {
			return true
		}
	}
	return false
}

func (s *podState) see(pod *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = pod
	if c := containerOf(pod); c.State.Running != nil || c.State.Terminated != nil {
		select {
		case <-s.ran:
		default:
			close(s.ran)
		}
	}
}

func (s *podState) now() *corev1.Pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// close ends the watch and waits for it.
func (s *podState) close() {
	s.stop()
	s.running.Wait()
}

// await waits until the Pod is gone.
func (s *podState) await(ctx context.Context) error {
	select {
	case <-s.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pod %s is still there: %s: %w", s.name, describePod(s.now()), ctx.Err())
	}
}

// containerOf is the status of the Pod's one container.
func containerOf(pod *corev1.Pod) corev1.ContainerStatus {
	if len(pod.Status.ContainerStatuses) == 0 {
		return corev1.ContainerStatus{}
	}
	return pod.Status.ContainerStatuses[0]
}

// endOf is how the container ended, nil while it has not. A Pod may fail without it.
func endOf(pod *corev1.Pod) error {
	switch c := containerOf(pod); {
	case c.State.Terminated != nil && c.State.Terminated.ExitCode == 0:
		return errors.New("exit status 0")
	case c.State.Terminated != nil && c.State.Terminated.ExitCode > 128:
		return fmt.Errorf("exit status %d (signal %d)", c.State.Terminated.ExitCode, c.State.Terminated.ExitCode-128)
	case c.State.Terminated != nil:
		return fmt.Errorf("exit status %d", c.State.Terminated.ExitCode)
	case pod.Status.Phase == corev1.PodFailed:
		return errors.New(describePod(pod))
	}
	return nil
}

// describePod is a Pod's state in a line, with the reason of whatever keeps it from running.
func describePod(pod *corev1.Pod) string {
	out := "phase " + string(pod.Status.Phase)
	for _, c := range pod.Status.Conditions {
		if c.Status == corev1.ConditionFalse && c.Type == corev1.PodScheduled {
			out += ", not scheduled: " + c.Message
		}
	}
	if pod.Status.Reason != "" || pod.Status.Message != "" {
		out += ", " + pod.Status.Reason + " " + pod.Status.Message
	}
	if waiting := containerOf(pod).State.Waiting; waiting != nil {
		out += ", waiting: " + waiting.Reason + " " + waiting.Message
	}
	return out
}

// hopeless says that a Pod will never run, nil while it may.
func hopeless(pod *corev1.Pod) error {
	if err := endOf(pod); err != nil {
		return fmt.Errorf("it ended: %w", err)
	}
	if w := containerOf(pod).State.Waiting; w != nil {
		switch w.Reason {
		case "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			return errors.New(describePod(pod))
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
