package reconcile

import (
	"context"
	"log/slog"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// raiser looks for objects whose status shows less than Redis has counted, and has it
// raised. Whoever counted writes within a second or so; one that still lags at the second
// look, by the same counts, is nobody's.
type raiser struct {
	reader   client.Reader
	windows  func() Windows
	counters Counters
	log      *slog.Logger
	// next is where the following look begins; lagging what the last one found, by UID.
	next    int
	lagging map[string]window.Counts
}

const (
	// lookEvery and atALook bound what it costs: 500 reads of Redis a second.
	lookEvery = 2 * time.Second
	atALook   = 1000
)

// Start implements manager.Runnable; only the leader's is started.
func (r *raiser) Start(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "comparing counts failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look compares the next part of the objects with Redis.
func (r *raiser) look(ctx context.Context) error {
	var list v1alpha1.RemediationRequestList
	if err := r.reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	if r.next >= len(list.Items) {
		r.next = 0
	}
	some := list.Items[r.next:min(len(list.Items), r.next+atALook)]
	r.next += len(some)
	refs := make([]window.Ref, len(some))
	for i, rr := range some {
		refs[i] = window.Ref{Tag: rr.Labels[v1alpha1.LabelGroup], Fingerprint: rr.Spec.Fingerprint, UID: string(rr.UID)}
		if rr.Spec.Storm != nil {
			refs[i].Storm = rr.Spec.Storm.ID
		}
	}
	counts, err := r.windows().Counted(ctx, refs)
	if err != nil {
		return err
	}
	found := map[string]window.Counts{}
	for i, c := range counts {
		rr, uid := some[i], refs[i].UID
		t := remediation.TallyOf(&rr.Status)
		if rr.DeletionTimestamp != nil || c.Occurrences <= t.Occurrences && c.Deliveries <= t.Deliveries && c.StormMembers <= t.Members {
			continue
		}
		if r.lagging[uid] == c {
			r.log.InfoContext(ctx, "status lagged behind", "object", rr.Namespace+"/"+rr.Name, "occurrences", c.Occurrences, "deliveries", c.Deliveries)
			r.counters.Note(uid, rr.Namespace, rr.Name, remediation.Tally{Occurrences: c.Occurrences, Deliveries: c.Deliveries,
				Renotifications: c.Renotifications, Members: c.StormMembers,
				LastSeen: window.Time(c.LastSeen), ResolvedAt: window.Time(c.ResolvedAt), Newest: window.Time(c.Newest)})
		} else {
			found[uid] = c
		}
	}
	r.lagging = found
	return nil
}
