package intake

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// rebuild asks Kubernetes about entries that Redis does not know, tells Redis what is known
// of the group, and has it decide on those that are unknown to both. Of the others it asks
// once more: who stands in a page by now may have been claimed since Redis was asked first,
// and then it was not counted yet.
func (in *Intake) rebuild(ctx context.Context, c *chunk, r window.Request, entries []*entry) error {
	state, err := in.group(ctx, c, entries)
	if err != nil {
		return err
	}
	for _, e := range entries {
		e.item.Look = in.knows(e, state)
	}
	r.Count, r.Seed = false, in.seed(c, state)
	if err := in.decide(ctx, c, r, entries); err != nil {
		return err
	}
	for _, e := range entries {
		if e.item.Look {
			in.recall(e, state)
		}
	}
	return nil
}

// knows reports whether Kubernetes has an incident for an entry, and notes one that is over.
func (in *Intake) knows(e *entry, state remediation.GroupState) bool {
	own := state.Newest[e.item.Fingerprint]
	if own != nil && in.Writer.Open(own) || state.Of(e.item.Fingerprint) != nil {
		return true
	}
	if own != nil {
		e.past = int(own.Spec.Incarnation)
	}
	return false
}

// recall takes over the incident that Kubernetes has for an entry.
func (in *Intake) recall(e *entry, state remediation.GroupState) {
	own := state.Newest[e.item.Fingerprint]
	storm := state.Of(e.item.Fingerprint)
	switch {
	case own != nil && in.Writer.Open(own):
		e.decision = window.Decision{Kind: window.Duplicate}
		in.take(e, remediation.Found{Object: own})
	case storm != nil && len(e.item.Episodes) == 0:
		// Whether it was ever counted is not known: its firing may still be on its way. So
		// Redis is not told of it, only the storm's object.
		e.decision = window.Decision{Kind: window.Resolved, Storm: storm.ID}
		e.found(remediation.Found{Object: storm.Object})
		e.aside, e.counts.ResolvedAt = true, e.item.ResolvedAt.UnixMilli()
	case storm != nil:
		uncounted := e.decision.Pending // its page was written, and then its request failed
		e.decision = window.Decision{Kind: window.Duplicate, Storm: storm.ID}
		e.found(remediation.Found{Object: storm.Object})
		e.members = len(storm.Members)
		if !uncounted {
			// It fired once at least; what it fired until the storm's newest is in the storm's sums.
			e.before = in.tally(storm.Object).Max(remediation.Tally{Newest: storm.Members[e.item.Fingerprint]})
			e.since = storm.Members[e.item.Fingerprint]
			e.before.Occurrences, e.before.Deliveries, e.before.Renotifications = 1, 1, 0
		}
	}
	if len(e.item.Episodes) == 0 {
		e.decision.Kind = window.Resolved
	}
}

// take takes over an object and, if it is not new, its counters.
func (in *Intake) take(e *entry, f remediation.Found) {
	e.found(f)
	if !f.Created {
		e.before = in.tally(f.Object)
	}
}

// tally is what an object had counted: its status lags behind what this process knows.
func (in *Intake) tally(rr *v1alpha1.RemediationRequest) remediation.Tally {
	t := remediation.TallyOf(&rr.Status).Max(in.Counters.Known(string(rr.UID)))
	t.LastSeen = in.Writer.LastSeen(rr)
	return t
}

// seed is the group's state as the windows know it.
func (in *Intake) seed(c *chunk, state remediation.GroupState) *window.Seed {
	out := &window.Seed{}
	now := in.Clock.Now()
	for _, o := range state.Openings {
		if now.Sub(o.At) <= c.window.Window && len(out.Openings) < c.window.Threshold {
			out.Openings = append(out.Openings, window.Opening(o))
		}
	}
	if s := state.Joinable(now, c.window.Window); s != nil {
		out.Storm = &window.SeedStorm{ID: s.ID, UID: string(s.Object.UID), Last: s.LastJoin}
	}
	for _, s := range state.Storms {
		t := in.tally(s.Object)
		out.Totals = append(out.Totals, window.SeedTotals{ID: s.ID, Members: int64(len(s.Members)), Occurrences: t.Occurrences,
			Deliveries: t.Deliveries, Renotifications: t.Renotifications, LastSeen: t.LastSeen, ResolvedAt: t.ResolvedAt, Newest: t.Newest})
	}
	return out
}

// resolve looks for the incidents of resolved alerts that Redis does not know: one read of
// the group, however many they are.
func (in *Intake) resolve(ctx context.Context, c *chunk) error {
	var unknown []*entry
	for _, e := range c.entries {
		if e.decision.Kind == window.Ignored {
			unknown = append(unknown, e)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	state, err := in.group(ctx, c, unknown)
	if err != nil {
		return err
	}
	for _, e := range unknown {
		if in.knows(e, state) {
			in.recall(e, state)
		}
	}
	return nil
}

// group is what Kubernetes knows of a chunk's storm group, where the entries' objects go.
func (in *Intake) group(ctx context.Context, c *chunk, entries []*entry) (remediation.GroupState, error) {
	namespaces := []string{in.Config.Kubernetes.Namespace, in.Config.Kubernetes.FallbackNamespace}
	for _, e := range entries {
		namespaces = append(namespaces, Namespace(in.Config, e.first.Labels))
	}
	return in.Writer.Group(ctx, namespaces, c.group.Tag)
}

// afresh leaves a storm whose object a user deleted, and decides anew on those that were to
// join it: they join the next one. It may be deleted as well; then the sender tries again.
func (in *Intake) afresh(ctx context.Context, c *chunk, id string, gone *remediation.GoneError) error {
	err := in.Windows.Free(ctx, c.window, window.Freed{Fingerprint: remediation.StormFingerprint(c.group.Key, gone.Storm),
		UID: gone.UID, Storm: gone.Storm, NewStorm: uuid.NewString()[:8]})
	if err != nil {
		return &RedisError{err}
	}
	var left []*entry
	for _, e := range c.entries {
		if e.pending(window.Member) {
			left = append(left, e)
		}
	}
	if err := in.decide(ctx, c, window.Request{ID: id, NewStorm: id[:8]}, left); err != nil {
		return err
	}
	err = in.write(ctx, c)
	if errors.As(err, &gone) {
		return &remediation.UnavailableError{Doing: "joining the storm", Err: err}
	}
	return err
}
