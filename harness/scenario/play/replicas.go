package play

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/internal/diff"
	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/system"
	"github.com/stormproof/stormproof/harness/traffic"
)

// readyWithin bounds the start of a replica.
const readyWithin = 20 * time.Second

// replicas are the instances of the system in a world, and the balancer in front of them.
type replicas struct {
	mu       sync.Mutex
	list     []*replica
	balancer *system.Balancer
}

// replica is one of them; its instance is nil while it is down.
type replica struct {
	mu       sync.Mutex
	spec     system.Spec
	instance system.Instance
}

func (r *replicas) all() []*replica {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*replica{}, r.list...)
}

func (r *replicas) one(n int) (*replica, error) {
	list := r.all()
	if n > len(list) {
		return nil, fmt.Errorf("there is no replica %d, only %d; write needs: {replicas: %d}", n, len(list), n)
	}
	return list[n-1], nil
}

// balance tells the balancer where the replicas are now. Dead ones stay in its list, as in
// a real one until a probe notices.
func (r *replicas) balance() error {
	var urls []string
	for _, x := range r.all() {
		if instance := x.running(); instance != nil {
			urls = append(urls, instance.URL())
		}
	}
	return r.balancer.Set(urls)
}

func (r *replicas) close() error {
	if r.balancer == nil {
		return nil
	}
	err := r.balancer.Close()
	r.balancer = nil
	return err
}

func (r *replica) running() system.Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.instance
}

func (r *replica) set(i system.Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instance = i
}

// startSystem starts the wanted number of replicas and waits until they are ready, unless
// the scenario wants to see them unready.
func (w *world) startSystem(ctx context.Context) (err error) {
	if w.replicas.balancer, err = system.NewBalancer(ctx); err != nil {
		return fmt.Errorf("starting the balancer: %w", err)
	}
	for i := range max(1, w.scenario.Needs.Replicas) {
		n := strconv.Itoa(i + 1)
		way, err := w.kubeProxy.Door(ctx, i+1)
		if err != nil {
			return err
		}
		way = rest.CopyConfig(way)
		way.BearerToken = w.secrets[kubernetesToken].value // the proxy replaces it
		w.replicas.mu.Lock()
		r := &replica{spec: system.Spec{
			Name: w.prefix + w.name() + "-" + n, Replica: i + 1, Dir: filepath.Join(w.dir, w.name()+"-"+n),
			Namespace: w.namespaces[0], Namespaces: w.namespaces, Home: w.home, Skew: time.Duration(i) * w.scenario.Needs.Skew.D(), Frozen: w.frozen(), RedisPrefix: w.prefix, Kubernetes: way,
			Config: w.gatewayBlock(w.scenario.Gateway), LogFile: filepath.Join(w.dir, w.name()+"-"+n+".log"), Values: w.sinkValues()}}
		w.replicas.list = append(w.replicas.list, r)
		w.replicas.mu.Unlock()
		if w.redis != nil {
			if err := w.tellRedis(ctx, &r.spec); err != nil {
				return err
			}
		}
	}
	for _, r := range w.replicas.all() {
		if err := w.start(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// name is what the replicas are called in logs and messages.
func (w *world) name() string {
	if w.scenario.System != nil {
		return "system"
	}
	return "gateway"
}

// factory is how this scenario's system is started.
func (w *world) factory() (system.Factory, error) {
	if own := w.scenario.System; own != nil {
		return w.ownFactory(own)
	}
	switch {
	case w.inCluster() && w.host.Cluster == nil:
		return nil, errors.New("this scenario needs the system in the cluster, and no image was put there; run it with stormproof run from the source tree")
	case w.inCluster():
		return w.host.Cluster, nil
	case w.scenario.Needs.System == scenario.Binary && w.host.Binary == nil:
		return nil, errors.New("this scenario needs the system as a program of its own, and none was built; run it from the source tree")
	case w.scenario.Needs.System == scenario.Binary:
		return w.host.Binary, nil
	}
	return w.host.System, nil
}

// inCluster reports whether the system runs as Pods.
func (w *world) inCluster() bool {
	return w.scenario.System == nil && w.scenario.Needs.System == scenario.Cluster
}

func (w *world) start(ctx context.Context, r *replica) error {
	factory, err := w.factory()
	if err != nil {
		return err
	}
	r.spec.Offset = time.Duration(w.offset.Load())
	instance, err := factory(ctx, r.spec)
	if err != nil {
		return fmt.Errorf("starting %s %d: %w", w.name(), r.spec.Replica, err)
	}
	r.set(instance)
	if n := w.scenario.Needs; !n.RedisDown && !n.Unready {
		if err := w.waitReady(ctx, instance); err != nil {
			return err
		}
	}
	return w.replicas.balance()
}

func (w *world) waitReady(ctx context.Context, instance system.Instance) error {
	path, want := w.probe()
	if path == "" {
		return nil
	}
	return waitFailed(wait.Until(ctx, "the "+w.name()+" is ready", readyWithin, 5*time.Millisecond, func(ctx context.Context) wait.Look {
		status, body, err := w.fetch(ctx, w.public(instance.URL())+path)
		look := wait.Look{Done: status == want, Err: err, Hopeless: exited(instance)}
		if err == nil {
			look.State = func() string {
				return fmt.Sprintf("GET %s: %d %s", path, status, diff.Cut(strings.TrimSpace(string(body)), 1000))
			}
		}
		return look
	}))
}

// exited is why an instance has ended by itself, nil while it runs or when it cannot tell.
func exited(instance system.Instance) error {
	if x, ok := instance.(interface{ Exited() error }); ok {
		return x.Exited()
	}
	return nil
}

// client is a sender aimed at one replica; 0 leaves the choice to the balancer, where there
// is one to make.
func (w *world) client(n int) (*traffic.Client, error) {
	list := w.replicas.all()
	if n == 0 && len(list) > 1 {
		return w.balanced(), nil
	}
	r, err := w.replicas.one(max(1, n))
	if err != nil {
		return nil, err
	}
	instance := r.running()
	if instance == nil {
		return nil, fmt.Errorf("replica %d is not running; restart it first", r.spec.Replica)
	}
	return w.sender(w.public(instance.URL())), nil
}

// balanced is a sender that knows one address for all replicas.
func (w *world) balanced() *traffic.Client {
	return w.sender(w.replicas.balancer.URL())
}

func (w *world) sender(url string) *traffic.Client {
	return &traffic.Client{BaseURL: url, HTTP: w.http, History: w.history, Token: w.secrets[authorization].value}
}

// first is the base URL of the first replica that was not stopped, "" when all were.
func (w *world) first() string {
	for _, r := range w.replicas.all() {
		if instance := r.running(); instance != nil {
			return w.public(instance.URL())
		}
	}
	return ""
}

// stopSystem stops every replica; one that was stopped already is left alone.
func (w *world) stopSystem(ctx context.Context) error {
	var errs []error
	for _, r := range w.replicas.all() {
		errs = append(errs, r.stop(ctx))
	}
	return errors.Join(errs...)
}

func (r *replica) stop(ctx context.Context) error {
	instance := r.running()
	if instance == nil {
		return nil
	}
	r.set(nil)
	return instance.Stop(ctx)
}

func (w *world) advance(ctx context.Context, by time.Duration) error {
	offset := time.Duration(w.offset.Add(int64(by)))
	for _, r := range w.replicas.all() {
		instance := r.running()
		if instance == nil {
			continue // its clock is set when it starts
		}
		clock, ok := instance.(system.Advancer)
		if !ok {
			return errors.New("this system has no clock to advance; give it one with system.clock")
		}
		if err := clock.Advance(ctx, offset); err != nil {
			return fmt.Errorf("advancing replica %d: %w", r.spec.Replica, err)
		}
	}
	return w.history.Add(history.Event{Advance: &history.Advance{By: by}})
}

// chosen is the replica with a number from 1, or all of them for 0.
func (r *replicas) chosen(n int) ([]*replica, error) {
	if n == 0 {
		return r.all(), nil
	}
	one, err := r.one(n)
	if err != nil {
		return nil, err
	}
	return []*replica{one}, nil
}

// restart stops and starts all replicas, or one.
func (w *world) restart(ctx context.Context, s *scenario.Restart) error {
	if err := w.act("restart", "", "", "gateway"); err != nil {
		return err
	}
	list, err := w.replicas.chosen(s.Replica)
	if err != nil {
		return err
	}
	for _, r := range list {
		w.lastMetrics(ctx, r)
		if err := r.stop(ctx); err != nil {
			return failf("stopping gateway %d: %v", r.spec.Replica, err)
		}
		if s.Gateway != nil {
			r.spec.Config = w.gatewayBlock(s.Gateway)
		}
	}
	w.closeIdle()
	for _, r := range list {
		start := w.start
		if s.AddressOf > 0 {
			start = func(ctx context.Context, r *replica) error { return w.startInVain(ctx, r, s.AddressOf) }
		}
		if err := start(ctx, r); err != nil {
			return err
		}
	}
	return w.act("restarted", "", "", "gateway")
}

// startInVain starts a replica where another one listens, and demands that it gives up.
func (w *world) startInVain(ctx context.Context, r *replica, other int) error {
	factory, err := w.factory()
	if err != nil {
		return err
	}
	holder, err := w.replicas.one(other)
	if err != nil {
		return err
	}
	spec, running := r.spec, holder.running()
	if running == nil || holder == r {
		return fmt.Errorf("replica %d does not listen: name another one that runs under restart.addressOf", other)
	}
	spec.Listen = strings.TrimPrefix(running.URL(), "http://")
	instance, err := factory(ctx, spec)
	if err == nil {
		return errors.Join(failf("replica %d came up at %s, where replica %d listens", r.spec.Replica, spec.Listen, other), instance.Stop(ctx))
	}
	var ended *system.EndedError
	if !errors.As(err, &ended) || ended.Status != 1 {
		return failf("replica %d, at the address of replica %d, did not end with exit status 1: %v", r.spec.Replica, other, err)
	}
	return nil
}

// reload edits the configuration of replicas that go on running.
func (w *world) reload(ctx context.Context, s *scenario.Reload) error {
	if err := w.act("reload", "", "", "gateway"); err != nil {
		return err
	}
	list, err := w.replicas.chosen(s.Replica)
	if err != nil {
		return err
	}
	for _, r := range list {
		reloader, ok := r.running().(system.Reloader)
		if !ok {
			return fmt.Errorf("replica %d is down, or cannot be given another configuration while it runs: use restart: {gateway: ...}", r.spec.Replica)
		}
		r.spec.Config = w.gatewayBlock(s.Gateway)
		if err := reloader.Reload(ctx, r.spec.Config); err != nil {
			return fmt.Errorf("reloading replica %d: %w", r.spec.Replica, err)
		}
	}
	return nil
}

// crash arms a crash point.
func (w *world) crash(s *scenario.Crash) error {
	r, err := w.replicas.one(max(1, s.Replica))
	if err != nil {
		return err
	}
	crasher, ok := r.running().(system.Crasher)
	if !ok {
		return errors.New("this system has no crash points; write needs: {system: binary}")
	}
	handle, err := fault.ArmCrash(crasher.CrashDir(), s.Name(), s.Point())
	if err != nil {
		return err
	}
	return w.armed(&scenario.Fault{ID: s.Name(), Target: fault.Process, Kind: handle.Receipt().Kind}, handle)
}

// kill ends a replica as a power cut would.
func (w *world) kill(ctx context.Context, n int) error {
	r, err := w.replicas.one(n)
	if err != nil {
		return err
	}
	killer, ok := r.running().(system.Killer)
	if !ok {
		return fmt.Errorf("replica %d cannot be killed: it is down, or runs inside the harness; write needs: {system: binary} or {system: cluster}", n)
	}
	w.lastMetrics(ctx, r)
	if err := w.act("kill", "", "", "replica "+strconv.Itoa(n)); err != nil {
		return err
	}
	killer.Kill()
	return nil
}

// terminate stops a replica in an orderly way. The balancer learns of it by being refused.
func (w *world) terminate(ctx context.Context, n int) error {
	r, err := w.replicas.one(n)
	if err != nil {
		return err
	}
	w.lastMetrics(ctx, r)
	if err := w.act("terminate", "", "", "replica "+strconv.Itoa(n)); err != nil {
		return err
	}
	if err := r.stop(ctx); err != nil {
		return failf("stopping replica %d: %v", n, err)
	}
	return nil
}
