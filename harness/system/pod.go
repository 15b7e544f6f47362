package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

// Bounds of a Pod's life.
const (
	podListensWithin = time.Minute
	// podGoneWithin is on top of its grace: the kubelet takes its sandbox down.
	podGoneWithin = 20 * time.Second
	podKilled     = 10 * time.Second
	podQPS        = 100
)

// Pod is a Program in an image, as one Pod a replica on the node of a Kind cluster. It is
// reached at ports of the node, so that a connection that is refused, cut or reset inside is
// just that outside; it reaches Kubernetes and Redis by the doors of the harness, as the
// service account of its world. It has no crash points, and its root is read-only.
type Pod struct {
	// Program's Path is inside of the image.
	Program
	Image string
	// Rules are what it may do at Kubernetes, in every namespace.
	Rules []rbacv1.PolicyRule
	// Node is located.
	Node cluster.Node
	// Config is the API server, past the faults.
	Config *rest.Config
}

// Start is a Factory.
func (p Pod) Start(ctx context.Context, spec Spec) (Instance, error) {
	if spec.Home == nil {
		return nil, errors.New("a system in the cluster needs a namespace to live in")
	}
	config := rest.CopyConfig(p.Config)
	config.QPS, config.Burst = podQPS, 2*podQPS
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("building a client for the Pod: %w", err)
	}
	i := &pod{node: p.Node, clock: p.Clock, api: api, home: spec.Home.Name, log: spec.LogFile}
	if err := i.start(ctx, p, spec); err != nil {
		return nil, errors.Join(err, i.remove(context.WithoutCancel(ctx), 0))
	}
	if p.Clock.Path == "" {
		return i, nil
	}
	a := advancingPod{i}
	if spec.Offset != 0 {
		if err := a.Advance(ctx, spec.Offset); err != nil {
			return nil, errors.Join(err, i.remove(context.WithoutCancel(ctx), 0))
		}
	}
	return a, nil
}

// pod is a running Pod.
type pod struct {
	node          cluster.Node
	clock         Clock
	api           kubernetes.Interface
	home, log     string
	public, admin *process.Port
	// files is the name of its ConfigMap, "" before there is one; state is nil before there
	// is a Pod of that name.
	files string
	state *podState

	lines     *podLog
	killed    bool
	notKilled error
	// dead is set when it was killed, long before Kubernetes notices.
	dead atomic.Bool
}

func (i *pod) start(ctx context.Context, p Pod, spec Spec) (err error) {
	if i.public, err = process.ReservePort(); err != nil {
		return err
	}
	i.admin = i.public
	if slices.Contains(Mentioned(p.texts()...), "admin") {
		if i.admin, err = process.ReservePort(); err != nil {
			return err
		}
	}
	f, err := p.fill(podValues(spec))
	if err != nil {
		return err
	}
	if err := i.introduce(ctx, p, spec.Home); err != nil {
		return err
	}
	files, keys := configMap(spec, f)
	if files, err = i.api.CoreV1().ConfigMaps(i.home).Create(ctx, files, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the Pod's files: %w", err)
	}
	i.files = files.Name
	object, err := p.object(i.files, spec, f, keys, podPorts{i.public.Number, i.admin.Number})
	if err != nil {
		return err
	}
	pods := i.api.CoreV1().Pods(i.home)
	if object, err = pods.Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the Pod: %w", err)
	}
	// Both live as long as the Pod, which the world always stops, not as long as one step.
	i.state = followPod(ctx, pods, object)
	i.lines = followLog(ctx, pods, i.state, i.log)
	return i.listens(ctx)
}

// introduce makes the service account and its rights, once a world.
func (i *pod) introduce(ctx context.Context, p Pod, home *corev1.Namespace) error {
	account, role, binding := p.account(home)
	_, err1 := i.api.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{})
	_, err2 := i.api.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	_, err3 := i.api.CoreV1().ServiceAccounts(i.home).Create(ctx, account, metav1.CreateOptions{})
	for _, err := range []error{err1, err2, err3} {
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("making the Pod's service account: %w", err)
		}
	}
	return nil
}

// listens waits until something accepts connections at the public port.
func (i *pod) listens(ctx context.Context) error {
	err := wait.Until(ctx, "the Pod listens", podListensWithin, 10*time.Millisecond, func(ctx context.Context) wait.Look {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", i.addr(i.public))
		if err == nil {
			return wait.Look{Done: true, Err: conn.Close()}
		}
		now := i.state.now()
		return wait.Look{Err: err, Hopeless: hopeless(now), State: func() string { return describePod(now) }}
	})
	if err != nil {
		if endOf(i.state.now()) != nil {
			i.lines.whole()
		}
		return fmt.Errorf("%w; last lines of %s:\n%s", err, i.log, tail(i.log))
	}
	return nil
}

func (i *pod) addr(port *process.Port) string {
	return net.JoinHostPort(i.node.Address, strconv.Itoa(port.Number))
}

// URL is the public listener.
func (i *pod) URL() string { return "http://" + i.addr(i.public) }

// AdminURL is the private listener, or the public one where the program has no other.
func (i *pod) AdminURL() string { return "http://" + i.addr(i.admin) }

// FlushLog implements Logger.
func (i *pod) FlushLog(ctx context.Context) error { return i.lines.flush(ctx) }

// Exited says how the program ended by itself, nil while it runs.
func (i *pod) Exited() error {
	if i.dead.Load() {
		return errors.New("the program was killed")
	}
	if err := endOf(i.state.now()); err != nil {
		return i.ended("ended by itself", err)
	}
	return nil
}

// ended says how the container went, with the last that it said.
func (i *pod) ended(when string, how error) error {
	i.lines.whole()
	return fmt.Errorf("the program %s: %w; last lines of %s:\n%s", when, how, i.log, tail(i.log))
}

// Kill ends the program as a power cut would. What cannot be killed, Stop complains of.
func (i *pod) Kill() {
	ctx, cancel := context.WithTimeout(context.Background(), podKilled)
	defer cancel()
	i.killed = true
	select { // before that nobody knows its container
	case <-i.state.ran:
	case <-ctx.Done():
	}
	if i.notKilled = i.node.Kill(ctx, containerOf(i.state.now()).ContainerID); i.notKilled != nil {
		return
	}
	i.notKilled = wait.Until(ctx, "nothing listens where the killed Pod did", podKilled, 5*time.Millisecond, func(ctx context.Context) wait.Look {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", i.addr(i.public))
		if err == nil {
			err = conn.Close()
			return wait.Look{Err: err}
		}
		return wait.Look{Done: true}
	})
	i.dead.Store(i.notKilled == nil)
}

// Stop deletes the Pod, with all the grace that it may need, and waits until it is gone.
func (i *pod) Stop(ctx context.Context) error {
	if i.killed {
		return errors.Join(i.notKilled, i.remove(ctx, 0))
	}
	before, asked := i.Exited(), time.Now()
	if err := i.remove(ctx, stopWithin); err != nil {
		return err
	}
	if before != nil {
		return before
	}
	return i.lastWord(asked)
}

// lastWord judges how a Pod ended that was asked to at a time.
func (i *pod) lastWord(asked time.Time) error {
	last := i.state.now()
	how := endOf(last)
	end := containerOf(last).State.Terminated
	switch {
	case how == nil:
		return fmt.Errorf("the Pod is gone, and nobody knows how it ended: %s", describePod(last))
	case end == nil:
		return i.ended("ended by itself", how)
	case end.ExitCode == 0 && end.FinishedAt.Add(time.Second).Before(asked): // times are whole seconds
		return i.ended("ended by itself", how)
	case end.ExitCode == 0, end.ExitCode == 128+int32(15): // it does not handle SIGTERM, and need not
		return nil
	}
	return i.ended("ended badly after SIGTERM", how)
}

// remove deletes the Pod and its files, waits until it is gone, and gives back what the
// harness holds for it.
func (i *pod) remove(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace+podGoneWithin)
	defer cancel()
	var errs []error
	if i.state != nil {
		seconds := int64(grace.Seconds())
		err := i.api.CoreV1().Pods(i.home).Delete(ctx, i.files, metav1.DeleteOptions{GracePeriodSeconds: &seconds})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("deleting the Pod: %w", err))
		}
		errs = append(errs, i.state.await(ctx))
		i.state.close()
		errs = append(errs, i.lines.close())
	}
	if i.files != "" {
		err := i.api.CoreV1().ConfigMaps(i.home).Delete(ctx, i.files, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("deleting the Pod's files: %w", err))
		}
	}
	for _, port := range []*process.Port{i.public, i.admin} {
		if port != nil {
			port.Release()
		}
	}
	return errors.Join(errs...)
}

// advancingPod is a Pod with a clock.
type advancingPod struct{ *pod }

// Advance implements Advancer.
func (a advancingPod) Advance(ctx context.Context, offset time.Duration) error {
	return a.clock.set(ctx, a.AdminURL(), offset)
}
