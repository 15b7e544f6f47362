package play

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/report"
)

const (
	// fewObjects are deleted one by one, side by side: an API server lists before it deletes all.
	fewObjects = 16
	// goneWithin bounds how long the watch may take to show that what was deleted is gone.
	goneWithin = time.Second
)

// lastList is what the gateways left in Kubernetes when they had stopped.
type lastList struct {
	requests []v1alpha1.RemediationRequest
	pages    []v1alpha1.StormPage
}

// sweep removes the scenario's objects, namespaces and keys, and reports what stays.
// Namespaces are only asked to go: where no controller manager runs they stay Terminating,
// empty, under a name that is never used again.
func (w *world) sweep(ctx context.Context, out *report.Scenario) error {
	if err := errors.Join(w.discardLasting(ctx), w.deleteObjects(ctx)); err != nil {
		return fmt.Errorf("removing the scenario's objects: %w", err)
	}
	return errors.Join(w.findObjects(ctx, out), w.sweepObjects(ctx, out), w.sweepKeys(ctx, out))
}

// deleteObjects deletes what the last list showed, and the namespaces with whatever came later.
func (w *world) deleteObjects(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(fewObjects)
	if w.last != nil && len(w.last.requests)+len(w.last.pages) <= fewObjects {
		for i := range w.last.requests {
			group.Go(func() error { return client.IgnoreNotFound(w.kube.Delete(ctx, &w.last.requests[i])) })
		}
		for i := range w.last.pages {
			group.Go(func() error { return client.IgnoreNotFound(w.kube.Delete(ctx, &w.last.pages[i])) })
		}
	} else if err := w.deleteAll(ctx); err != nil {
		return errors.Join(err, group.Wait())
	}
	for _, ns := range w.everyNamespace() {
		group.Go(func() error {
			return client.IgnoreNotFound(w.kube.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}))
		})
	}
	return group.Wait()
}

func (w *world) deleteAll(ctx context.Context) error {
	var errs []error
	for _, ns := range w.namespaces {
		errs = append(errs, w.kube.DeleteAllOf(ctx, &v1alpha1.StormPage{}, client.InNamespace(ns)),
			w.kube.DeleteAllOf(ctx, &v1alpha1.RemediationRequest{}, client.InNamespace(ns)))
	}
	return errors.Join(errs...)
}

// findObjects reports the RemediationRequests that are still there. The watch tells when none
// is; only where it does not is the API server asked.
func (w *world) findObjects(ctx context.Context, out *report.Scenario) error {
	err := wait.Until(ctx, "the watch shows every object gone", goneWithin, 2*time.Millisecond, func(context.Context) wait.Look {
		return wait.Look{Done: w.watch.none()}
	})
	if err == nil {
		return nil
	}
	left, err := w.requestsNow(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, rr := range left {
		errs = append(errs, w.residue(out, "object", "RemediationRequest "+rr.Namespace+"/"+rr.Name+" of "+w.scenario.ID))
	}
	return errors.Join(errs...)
}

// sweepKeys deletes the scenario's keys, and reports keys that no prefix of the harness
// covers: somebody wrote outside of the scenario's own space.
func (w *world) sweepKeys(ctx context.Context, out *report.Scenario) error {
	if w.redis == nil {
		return nil
	}
	if w.redisGone(ctx) {
		return nil
	}
	keys, err := w.scan(ctx, "*")
	if err != nil {
		return err
	}
	var errs []error
	for _, key := range keys {
		switch {
		case strings.HasPrefix(key, w.prefix):
			errs = append(errs, w.redis.Del(ctx, key).Err())
		case !strings.HasPrefix(key, "sp:"): // another run of the harness may use the same server
			errs = append(errs, w.residue(out, "redis-key",
				key+", outside of the prefix of every scenario; found "+w.whose()))
		}
	}
	return errors.Join(errs...)
}

// whose says how sure it is that this scenario left what was found at Redis.
func (w *world) whose() string {
	if w.ownRedis != nil {
		return "in the own Redis of " + w.scenario.ID
	}
	return "after " + w.scenario.ID + " in a Redis that others share"
}
