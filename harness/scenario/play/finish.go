package play

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/internal/diff"
	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/judge"
	hredis "github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/report"
)

// finish takes a world down in the order that leaves nothing unrecorded: stop the senders
// and the gateways, read what they left, remove it, and look for residue.
//
// What explains a failure is kept before anything is taken down: at once when a step has
// failed (why), and before the sweep when the judge is going to find something.
func (w *world) finish(ctx context.Context, why error, out *report.Scenario) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(ctx)) // does nothing where all went its way
		}
	}()
	defer caught(&err)
	clean := why == nil
	if !clean {
		w.keepEvidence(ctx, why)
	}
	errs := []error{w.healAll(ctx), w.stopAlertmanager(ctx)}
	var metrics bytes.Buffer
	for _, r := range w.replicas.all() {
		fmt.Fprintf(&metrics, "# %s %d\n%s", w.name(), r.spec.Replica, w.lastMetrics(ctx, r))
	}
	if err := w.stopSystem(ctx); err != nil {
		errs = append(errs, failf("stopping the gateway: %v", err))
	}
	errs = append(errs, w.readLast(ctx), w.findSecrets(ctx), w.findConnections(ctx, out))
	kept := !clean
	if clean && (errors.Join(errs...) != nil || w.foreseenRed()) {
		kept = true
		w.keepEvidence(ctx, errors.Join(errs...))
		w.keepFile(ctx, evidence{"metrics.prom", func(context.Context) ([]byte, error) { return metrics.Bytes(), nil }})
	}
	if clean || !w.host.Keep {
		errs = append(errs, w.sweep(ctx, out))
	}
	if !kept && len(out.Residue) > 0 {
		w.keepEvidence(ctx, nil) // what is still to be seen after the sweep
	}
	errs = append(errs, w.releaseProxies(ctx))
	if err := goleak.Find(w.leaks); err != nil {
		w.keepFile(ctx, evidence{"goroutines.txt", w.goroutineFile})
		errs = append(errs, w.residue(out, "goroutine", err.Error()))
	}
	errs = append(errs, w.history.Add(history.Event{End: &history.End{Clean: clean}}), w.close(ctx))
	return errors.Join(errs...)
}

// abandon takes down a world that is only half there.
func (w *world) abandon(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, w.close(ctx)) }()
	defer caught(&err)
	errs := []error{w.healAll(ctx), w.stopAlertmanager(ctx), w.stopSystem(ctx)}
	if w.kube != nil && !w.host.Keep {
		errs = append(errs, w.sweep(ctx, &report.Scenario{})) // set-up failed: it is red already
	}
	return errors.Join(errs...)
}

// foreseenRed asks the judge about the history so far, while there is still something to
// look at.
func (w *world) foreseenRed() bool {
	events := w.history.Events()
	end := events[len(events)-1] // the judge wants the numbers and times of what comes next to fit
	end = history.Event{Seq: end.Seq + 1, At: end.At, Clock: end.Clock, Step: -1, End: &history.End{Clean: true}}
	return judge.Judge(append(events, end)).Outcome() != judge.Pass
}

func (w *world) residue(out *report.Scenario, kind, what string) error {
	out.Residue = append(out.Residue, kind+": "+what)
	return w.history.Add(history.Event{Residue: &history.Residue{Kind: kind, What: what}})
}

// readLast reads what the system left in Kubernetes, lists side by side.
func (w *world) readLast(ctx context.Context) error {
	var events sync.WaitGroup
	events.Go(func() { w.searchEvents(ctx) })
	defer events.Wait()
	return w.recordFinal(ctx)
}

// recordFinal writes the last live state into the history.
func (w *world) recordFinal(ctx context.Context) error {
	requests, pages, err := w.stateNow(ctx)
	if err != nil {
		return err
	}
	if err := w.watch.catchUp(ctx, requests); err != nil {
		return err
	}
	var errs []error
	last := history.List{Objects: len(requests), Pages: len(pages)}
	for i := range requests {
		o := describe(&requests[i])
		o.Change, o.Final = "listed", true
		errs = append(errs, w.history.Add(history.Event{Object: o}))
	}
	for _, p := range pages {
		page := &history.Page{Namespace: p.Namespace, Name: p.Name, Storm: p.Spec.Storm, Number: int(p.Spec.Number)}
		for _, m := range p.Spec.Members {
			page.Members = append(page.Members, history.Member{Fingerprint: m.Fingerprint, Labels: m.Labels})
		}
		errs = append(errs, w.history.Add(history.Event{Page: page}))
	}
	w.last = &lastList{requests, pages}
	if last.Keys, err = w.recordKeys(ctx); err != nil {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, w.history.Add(history.Event{List: &last}))...)
}

// stateNow lists everything that the gateway keeps in Kubernetes. Both kinds are read at one
// version of a namespace, so they fit together; asked for that version, the API server need
// not wait until its cache of the second kind has heard of the last write to the first.
func (w *world) stateNow(ctx context.Context) (requests []v1alpha1.RemediationRequest, pages []v1alpha1.StormPage, err error) {
	for _, ns := range w.namespaces {
		var rr v1alpha1.RemediationRequestList
		if err := w.kube.List(ctx, &rr, client.InNamespace(ns)); err != nil {
			return nil, nil, fmt.Errorf("listing RemediationRequests in %s: %w", ns, err)
		}
		at := &client.ListOptions{Namespace: ns, Raw: &metav1.ListOptions{ResourceVersion: rr.ResourceVersion,
			ResourceVersionMatch: metav1.ResourceVersionMatchExact}}
		var pp v1alpha1.StormPageList
		if err := w.kube.List(ctx, &pp, at); err != nil {
			return nil, nil, fmt.Errorf("listing StormPages in %s: %w", ns, err)
		}
		requests, pages = append(requests, rr.Items...), append(pages, pp.Items...)
	}
	return requests, pages, nil
}

// recordKeys returns how many keys there are; -1 when Redis cannot be asked.
func (w *world) recordKeys(ctx context.Context) (int, error) {
	if w.redis == nil {
		return 0, nil
	}
	if w.redisGone(ctx) {
		return -1, w.history.Add(history.Event{Note: &history.Note{Text: "the scenario ended with its own Redis down: no keys to read"}})
	}
	read := time.Now()
	keys, err := w.keys(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, k := range keys {
		m := k.(map[string]any)
		ttl := time.Duration(m["ttlMs"].(int64)) * time.Millisecond
		if ttl >= 0 { // what is left of it now: reading and recording many keys takes a while
			ttl = max(0, ttl-time.Since(read))
		}
		errs = append(errs, w.history.Add(history.Event{Key: &history.Key{Name: w.prefix + m["name"].(string), TTL: ttl, Type: m["type"].(string)}}))
	}
	return len(keys), errors.Join(errs...)
}

// findConnections looks for connections of the stopped gateways at Redis. A closed socket
// takes the server a moment to notice, so it looks for up to two seconds.
func (w *world) findConnections(ctx context.Context, out *report.Scenario) error {
	if w.redis == nil {
		return nil
	}
	if w.redisGone(ctx) {
		return nil
	}
	if w.ownRedis == nil && w.host.Environment.Redis.Kind == hredis.Embedded {
		return w.history.Add(history.Event{Note: &history.Note{Text: "the embedded Redis cannot list connections: leaked ones are not looked for"}})
	}
	var left []string
	err := wait.Until(ctx, "Redis has closed the stopped gateways' connections", 2*time.Second, poll, func(ctx context.Context) wait.Look {
		left = nil
		err := w.eachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			list, err := master.ClientList(ctx).Result()
			for line := range strings.SplitSeq(list, "\n") {
				for _, r := range w.replicas.all() {
					if strings.Contains(line, " name="+r.spec.Name+" ") {
						left = append(left, line)
					}
				}
			}
			return err
		})
		if err != nil {
			return wait.Look{Err: fmt.Errorf("listing Redis connections: %w", err)}
		}
		return wait.Look{Done: len(left) == 0, State: func() string { return strings.Join(left, "\n") }}
	})
	if err == nil || len(left) == 0 {
		return err
	}
	return w.residue(out, "connection", fmt.Sprintf("%d connections of the stopped gateway of %s at Redis: %s", len(left), w.scenario.ID, diff.Cut(strings.Join(left, "; "), 500)))
}

// releaseProxies ends everything that still runs goroutines, so that a leak that is found
// afterwards is the gateway's.
func (w *world) releaseProxies(ctx context.Context) error {
	err := errors.Join(w.replicas.close(), w.closeSinks(), w.watch.stop(), w.kubeProxy.Close(ctx))
	if w.redis != nil {
		err = errors.Join(err, w.redis.Close())
	}
	if w.redisProxy != nil {
		err = errors.Join(err, w.redisProxy.Close(ctx))
	}
	err = errors.Join(err, w.stopRedis(ctx), w.stopAPIServer(ctx))
	w.closeIdle()
	w.watch, w.redisProxy, w.kubeProxy = nil, nil, nil
	w.redis = nil
	return err
}
