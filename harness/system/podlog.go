package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

const (
	// podLogLag is how long the log of a Pod that is gone may still come, and how far a flush
	// may be behind.
	podLogLag = 10 * time.Second
	logPoll   = 20 * time.Millisecond
)

// podLog copies a container's log to a file while it is written.
type podLog struct {
	pods    typed.PodInterface
	state   *podState
	path    string
	written atomic.Int64
	enough  context.CancelFunc
	// over is closed when there is no more to read.
	over chan struct{}
	// broken is why the copy is not whole.
	broken error
}

func followLog(ctx context.Context, pods typed.PodInterface, state *podState, path string) *podLog {
	ctx, enough := context.WithCancel(context.WithoutCancel(ctx))
	l := &podLog{pods: pods, state: state, path: path, enough: enough, over: make(chan struct{})}
	go func() { // close waits for it
		defer close(l.over)
		l.broken = l.copy(ctx)
	}()
	return l
}

func (l *podLog) copy(ctx context.Context) error {
	select {
	case <-l.state.ran:
	case <-l.state.gone:
		return nil // it never ran
	}
	from, err := l.pods.GetLogs(l.state.name, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	if err != nil {
		return fmt.Errorf("reading the Pod's log: %w", err)
	}
	to, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(fmt.Errorf("opening the Pod's log: %w", err), from.Close())
	}
	if _, err = io.Copy(io.MultiWriter(to, l), from); err != nil {
		err = fmt.Errorf("reading the Pod's log, which is not whole: %w", err)
	}
	return errors.Join(err, from.Close(), to.Close())
}

// Write counts what is in the file.
func (l *podLog) Write(b []byte) (int, error) {
	l.written.Add(int64(len(b)))
	return len(b), nil
}

// flush waits until the file holds all that the container has said by now.
func (l *podLog) flush(ctx context.Context) error {
	want := int64(-1)
	return wait.Until(ctx, "the Pod's log reaches its file", podLogLag, logPoll, func(ctx context.Context) wait.Look {
		if want < 0 {
			said, err := l.pods.GetLogs(l.state.name, &corev1.PodLogOptions{}).DoRaw(ctx)
			if err != nil {
				return wait.Look{Err: err} // the kubelet does not know yet that it runs
			}
			want = int64(len(said))
		}
		have := l.written.Load()
		return wait.Look{Done: have >= want, State: func() string { return fmt.Sprintf("%d of %d bytes", have, want) }}
	})
}

// whole waits until a container that has ended has said its last, or not for long.
func (l *podLog) whole() {
	t := time.NewTimer(podLogLag)
	defer t.Stop()
	select {
	case <-l.over:
	case <-t.C:
	}
}

// close waits for the rest of the log of a Pod that is gone, but not for ever, and says what is missing.
func (l *podLog) close() error {
	l.whole()
	l.enough()
	<-l.over
	return l.broken
}
