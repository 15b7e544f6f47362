package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// LeaseName is the Lease that replicas elect a leader by, in kubernetes.namespace.
const LeaseName = "stormproof-gateway"

// Windows is what the reconciler needs of package window.
type Windows interface {
	Free(ctx context.Context, g window.Group, f window.Freed) error
	Counted(ctx context.Context, refs []window.Ref) ([]window.Counts, error)
}

// Counters is what the reconciler needs of the counters.
type Counters interface {
	Note(uid, namespace, name string, t remediation.Tally)
}

// Reconciler watches RemediationRequests while it leads.
type Reconciler struct {
	// Cluster is reached without limits of its own on connections; see rest.Config.Transport.
	Cluster *rest.Config
	Scheme  *runtime.Scheme
	Mapper  meta.RESTMapper
	Config  config.Kubernetes
	// Windows are those of the configuration in force.
	Windows  func() Windows
	Counters Counters
	Log      *slog.Logger
}

// again is how long it waits before it starts over after a failure.
const again = time.Second

// Run reconciles until ctx ends, and returns when all that it started is gone.
func (r *Reconciler) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.term(ctx); err != nil && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "reconciler ended, it starts again", "error", err)
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// term waits to be elected and leads until the lease or ctx is lost.
func (r *Reconciler) term(ctx context.Context) error {
	lock, err := r.lock()
	if err != nil {
		return err
	}
	yes, grace, e := true, 5*time.Second, r.Config.LeaderElection
	duration, renew, retry := e.LeaseDuration, e.LeaseDuration*2/3, e.LeaseDuration/8
	options := manager.Options{
		Scheme: r.Scheme, Logger: logr.FromSlogHandler(r.Log.Handler()),
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return r.Mapper, nil },
		Cache: cache.Options{DefaultNamespaces: namespaces(r.Config.Namespaces), ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.RemediationRequest{}: {Transform: slim, UnsafeDisableDeepCopy: &yes}}},
		Metrics:        metricsserver.Options{BindAddress: "0"},
		LeaderElection: e.Enabled, LeaderElectionResourceLockInterface: lock, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &duration, RenewDeadline: &renew, RetryPeriod: &retry, GracefulShutdownTimeout: &grace,
		Controller: ctrlconfig.Controller{SkipNameValidation: &yes},
	}
	m, err := manager.New(r.Cluster, options)
	if err != nil {
		return fmt.Errorf("building the manager: %w", err)
	}
	c, err := controller.NewTyped("deletions", m, controller.TypedOptions[Deletion]{Reconciler: r, MaxConcurrentReconciles: 4,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[Deletion](50*time.Millisecond, 5*time.Second)})
	if err != nil {
		return fmt.Errorf("building the controller: %w", err)
	}
	if err := c.Watch(source.TypedKind(m.GetCache(), &v1alpha1.RemediationRequest{}, deletions())); err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	if err := m.Add(&raiser{reader: m.GetCache(), windows: r.Windows, counters: r.Counters, log: r.Log}); err != nil {
		return fmt.Errorf("adding the raiser: %w", err)
	}
	return m.Start(ctx)
}

// lock is the Lease, nil where there is no election. It records no Events.
func (r *Reconciler) lock() (resourcelock.Interface, error) {
	if !r.Config.LeaderElection.Enabled {
		return nil, nil
	}
	leases, err := coordination.NewForConfig(r.Cluster)
	if err != nil {
		return nil, fmt.Errorf("building the client for leases: %w", err)
	}
	return &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Name: LeaseName, Namespace: r.Config.Namespace},
		Client: leases, LockConfig: resourcelock.ResourceLockConfig{Identity: uuid.NewString()}}, nil
}

func namespaces(list []string) map[string]cache.Config {
	if len(list) == 0 {
		return nil // all
	}
	out := map[string]cache.Config{}
	for _, n := range list {
		out[n] = cache.Config{}
	}
	return out
}

// slim keeps of an object what is looked at here: a cache of whole ones could be large.
func slim(o any) (any, error) {
	rr, ok := o.(*v1alpha1.RemediationRequest)
	if !ok {
		return o, nil
	}
	out := &v1alpha1.RemediationRequest{ObjectMeta: metav1.ObjectMeta{Name: rr.Name, Namespace: rr.Namespace, UID: rr.UID,
		ResourceVersion: rr.ResourceVersion, DeletionTimestamp: rr.DeletionTimestamp,
		Labels: map[string]string{v1alpha1.LabelGroup: rr.Labels[v1alpha1.LabelGroup], v1alpha1.LabelManagedBy: rr.Labels[v1alpha1.LabelManagedBy]}},
		Spec: v1alpha1.RemediationRequestSpec{Fingerprint: rr.Spec.Fingerprint}}
	if rr.Spec.Storm != nil {
		out.Spec.Storm = &v1alpha1.Storm{ID: rr.Spec.Storm.ID}
	}
	rr.Status.DeepCopyInto(&out.Status)
	return out, nil
}

// Deletion is an object that is gone, and what Redis knows it by.
type Deletion struct {
	name, group, fingerprint, uid, storm string
}

// Deleted is the deletion of an object.
func Deleted(rr *v1alpha1.RemediationRequest) Deletion {
	d := Deletion{name: rr.Namespace + "/" + rr.Name, group: rr.Labels[v1alpha1.LabelGroup], fingerprint: rr.Spec.Fingerprint, uid: string(rr.UID)}
	if rr.Spec.Storm != nil {
		d.storm = rr.Spec.Storm.ID
	}
	return d
}

// deletions turns deleted objects into work. One that a finalizer holds is still there, but
// no alert is counted on it any more.
func deletions() handler.TypedFuncs[*v1alpha1.RemediationRequest, Deletion] {
	add := func(rr *v1alpha1.RemediationRequest, q workqueue.TypedRateLimitingInterface[Deletion]) {
		if rr.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy {
			q.Add(Deleted(rr))
		}
	}
	return handler.TypedFuncs[*v1alpha1.RemediationRequest, Deletion]{
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*v1alpha1.RemediationRequest], q workqueue.TypedRateLimitingInterface[Deletion]) {
			add(e.Object, q)
		},
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*v1alpha1.RemediationRequest], q workqueue.TypedRateLimitingInterface[Deletion]) {
			if e.ObjectNew.DeletionTimestamp != nil {
				add(e.ObjectNew, q)
			}
		},
	}
}

// Reconcile frees the window of a deleted object. An error brings it back later.
func (r *Reconciler) Reconcile(ctx context.Context, d Deletion) (ctrlreconcile.Result, error) {
	err := r.Windows().Free(ctx, window.Group{Tag: d.group}, window.Freed{Fingerprint: d.fingerprint, UID: d.uid, Storm: d.storm, NewStorm: uuid.NewString()[:8]})
	if err != nil {
		return ctrlreconcile.Result{}, err
	}
	r.Log.InfoContext(ctx, "object deleted, its window is free", "object", d.name, "fingerprint", d.fingerprint, "storm", d.storm)
	return ctrlreconcile.Result{}, nil
}
