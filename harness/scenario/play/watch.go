package play

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/internal/diff"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

// catchUpWithin bounds how far the harness's own watch may lag behind.
const catchUpWithin = 15 * time.Second

// watcher records every change of the scenario's RemediationRequests. It reads the API
// server past the fault proxy, so no fault can blind it.
type watcher struct {
	world   *world
	cancel  context.CancelFunc
	streams []watch.Interface
	done    sync.WaitGroup
	mu      sync.Mutex
	failure error
	seen    map[string]bool
	// alive are the objects that were shown and not shown deleted since.
	alive map[string]*v1alpha1.RemediationRequest
}

// newWatch watches nothing before it is opened.
func newWatch(w *world) *watcher {
	return &watcher{world: w, cancel: func() {}, seen: map[string]bool{}, alive: map[string]*v1alpha1.RemediationRequest{}}
}

// open begins to watch, or goes on after stop: what was deleted meanwhile is recorded, and what
// is there is shown again.
func (x *watcher) open(ctx context.Context) error {
	ctx, x.cancel = context.WithCancel(context.WithoutCancel(ctx))
	known := maps.Clone(x.alive) // nobody follows yet
	for _, ns := range x.world.namespaces {
		options := &client.ListOptions{Namespace: ns}
		if len(known) > 0 {
			version, err := x.missed(ctx, ns, known)
			if err != nil {
				return err
			}
			options.Raw = &metav1.ListOptions{ResourceVersion: version}
		}
		stream, err := x.world.kube.Watch(ctx, &v1alpha1.RemediationRequestList{}, options)
		if err != nil {
			return errors.Join(fmt.Errorf("watching %s: %w", ns, err), x.stop())
		}
		x.streams = append(x.streams, stream)
		x.done.Go(func() { x.follow(ctx, stream) })
	}
	return nil
}

// missed records how a namespace differs from what was known, and returns the version of the
// list, from which a watch goes on.
func (x *watcher) missed(ctx context.Context, ns string, known map[string]*v1alpha1.RemediationRequest) (string, error) {
	var list v1alpha1.RemediationRequestList
	if err := x.world.kube.List(ctx, &list, client.InNamespace(ns)); err != nil {
		return "", fmt.Errorf("listing RemediationRequests in %s: %w", ns, err)
	}
	for i := range list.Items {
		delete(known, ns+"/"+list.Items[i].Name)
		x.show(watch.Added, &list.Items[i])
	}
	for _, rr := range known {
		if rr.Namespace == ns {
			x.show(watch.Deleted, rr)
		}
	}
	return list.ResourceVersion, nil
}

func (x *watcher) follow(ctx context.Context, stream watch.Interface) {
	for event := range stream.ResultChan() {
		if ctx.Err() != nil {
			return // what the client says of a watch that we ended is no news
		}
		rr, ok := event.Object.(*v1alpha1.RemediationRequest)
		if !ok {
			x.fail(fmt.Errorf("watch of RemediationRequests sent %s %T", event.Type, event.Object))
			return
		}
		x.show(event.Type, rr)
	}
	if ctx.Err() == nil {
		x.fail(errors.New("the harness's own watch ended before the scenario did"))
	}
}

// show records a change.
func (x *watcher) show(change watch.EventType, rr *v1alpha1.RemediationRequest) {
	object := describe(rr)
	object.Change = map[watch.EventType]string{watch.Added: "added", watch.Modified: "modified", watch.Deleted: "deleted"}[change]
	if err := x.world.history.Add(history.Event{Object: object}); err != nil {
		x.fail(err)
	}
	if change == watch.Deleted { // of what stays, the last list is searched
		x.world.searchJSON("the deleted RemediationRequest "+rr.Name, rr)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	name := rr.Namespace + "/" + rr.Name
	x.seen[name+"@"+rr.ResourceVersion] = true
	x.alive[name] = rr
	if change == watch.Deleted {
		delete(x.alive, name)
	}
}

func (x *watcher) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failure = errors.Join(x.failure, err)
}

// catchUp waits until the watch has shown these objects in these versions, so that the
// history holds every object before it is judged.
func (x *watcher) catchUp(ctx context.Context, want []v1alpha1.RemediationRequest) error {
	return wait.Until(ctx, "the harness's own watch shows every object", catchUpWithin, 2*time.Millisecond, func(context.Context) wait.Look {
		x.mu.Lock()
		defer x.mu.Unlock()
		var missing []string
		for _, rr := range want {
			if key := rr.Namespace + "/" + rr.Name + "@" + rr.ResourceVersion; !x.seen[key] {
				missing = append(missing, key)
			}
		}
		return wait.Look{Done: len(missing) == 0 && x.failure == nil, Hopeless: x.failure, State: func() string {
			return fmt.Sprintf("%d of %d not shown yet: %s", len(missing), len(want), diff.Cut(strings.Join(missing, ", "), 500))
		}}
	})
}

// none reports whether the watch is sound and shows no object.
func (x *watcher) none() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.alive) == 0 && x.failure == nil
}

func (x *watcher) stop() error {
	x.cancel()
	for _, s := range x.streams {
		s.Stop()
	}
	x.done.Wait()
	x.streams = nil
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failure
}

// describe reduces an object to what the judge reads.
func describe(rr *v1alpha1.RemediationRequest) *history.Object {
	o := &history.Object{UID: string(rr.UID), Namespace: rr.Namespace, Name: rr.Name,
		Fingerprint: rr.Spec.Fingerprint, Incarnation: int(rr.Spec.Incarnation),
		Labels: rr.Spec.Labels, Phase: string(rr.Status.Phase), Storm: rr.Spec.Storm != nil,
		Managed:   rr.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy,
		CreatedAt: rr.CreationTimestamp.Time, Occurrences: rr.Status.Occurrences,
		Deliveries: rr.Status.Deliveries, Renotifications: &rr.Status.Renotifications, Members: rr.Status.Members}
	if rr.Spec.Storm != nil {
		o.GroupKey = rr.Spec.Storm.GroupKey
	}
	return o
}
