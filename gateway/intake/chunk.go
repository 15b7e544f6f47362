package intake

import (
	"context"
	"time"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// chunk is the part of a batch that goes into one script call: up to window.MaxItems
// fingerprints of one storm group.
type chunk struct {
	group   alert.Group
	window  window.Group
	entries []*entry
	// counted says that Decide has counted already.
	counted bool
}

// entry is one fingerprint of a batch with all its alerts.
type entry struct {
	item     window.Item
	alerts   []alert.Alert
	first    alert.Alert
	decision window.Decision
	// object is the incident's, once it is known to exist.
	object      window.Object
	incarnation int
	created     bool
	// past is the incarnation that Kubernetes says is over, 0 for none.
	past int
	// before is what the object had, where Redis knew nothing.
	before remediation.Tally
	// members is how many the storm has; since is what this one joined with if it has it already,
	// and former that it was a member before anybody claimed it now.
	members int
	since   time.Time
	former  bool
	counts  window.Counts
	// aside entries are not settled in Redis.
	aside bool
	// truncated is the most alerts that a sender left out beside this one.
	truncated int
	// failure is why Kubernetes did not take it; nil normally.
	failure error
}

// chunks sorts a batch by group and fingerprint, keeping the order of first appearance.
func (in *Intake) chunks(alerts []alert.Alert, fingerprints []string) []*chunk {
	rules := in.Config.Storm.AlertRules()
	var out []*chunk
	open := map[string]*chunk{}
	entries := map[string]*entry{}
	for i, a := range alerts {
		fingerprint := fingerprints[i]
		e := entries[fingerprint]
		if e == nil {
			g := alert.GroupOf(a, rules)
			c := open[g.Tag]
			if c == nil || len(c.entries) == window.MaxItems {
				rule := in.Config.Storm.Rules[g.Rule]
				c = &chunk{group: g, window: window.Group{Tag: g.Tag, Threshold: rule.Threshold, Window: rule.Window}}
				open[g.Tag] = c
				out = append(out, c)
			}
			e = &entry{item: window.Item{Fingerprint: fingerprint}, first: a}
			entries[fingerprint] = e
			c.entries = append(c.entries, e)
		}
		e.add(a)
	}
	return out
}

func (e *entry) add(a alert.Alert) {
	if len(e.item.Episodes) == 0 && !a.Resolved {
		e.first = a
	}
	e.alerts = append(e.alerts, a)
	e.truncated = max(e.truncated, a.Truncated)
	if a.Resolved {
		if a.EndsAt.After(e.item.ResolvedAt) {
			e.item.ResolvedAt = a.EndsAt
		}
		return
	}
	for _, known := range e.item.Episodes {
		if known.Equal(a.StartsAt) {
			return
		}
	}
	e.item.Episodes = append(e.item.Episodes, a.StartsAt)
}

// found records the object that Kubernetes has for the entry.
func (e *entry) found(f remediation.Found) {
	e.object = window.Object{UID: string(f.Object.UID), Namespace: f.Object.Namespace, Name: f.Object.Name}
	e.incarnation, e.created = int(f.Object.Spec.Incarnation), f.Created
}

// pending says that the entry is of this kind and has nothing durable yet.
func (e *entry) pending(k window.Kind) bool {
	return e.decision.Kind == k && e.object.UID == "" && e.failure == nil
}

// settle counts a chunk and passes its counters on to the objects' status.
func (in *Intake) settle(ctx context.Context, c *chunk, id string) error {
	if !c.counted {
		var entries []*entry
		var items []window.Settled
		for _, e := range c.entries {
			if e.failure != nil || e.aside || e.decision.Kind == window.Ignored {
				continue
			}
			if e.incarnation == 0 {
				e.incarnation = e.decision.Incarnation
			}
			entries = append(entries, e)
			items = append(items, window.Settled{Item: e.item, Object: e.object, Incarnation: e.incarnation,
				Storm: e.decision.Storm, Members: int64(e.members), Since: e.since, Occurrences: e.before.Occurrences,
				Deliveries: e.before.Deliveries, Renotifications: e.before.Renotifications, Newest: e.before.Newest, LastSeen: e.before.LastSeen})
		}
		if len(items) > 0 {
			counts, err := in.Windows.Settle(ctx, c.window, id, items)
			if err != nil {
				return &RedisError{err}
			}
			for i, e := range entries {
				e.counts = counts[i]
			}
		}
	}
	for _, e := range c.entries {
		if e.object.UID != "" {
			in.Counters.Note(e.object.UID, e.object.Namespace, e.object.Name, e.tally())
		}
	}
	return nil
}

// tally is what the object's status should show: a storm shows the sums over its members.
func (e *entry) tally() remediation.Tally {
	t := remediation.Tally{Occurrences: e.counts.Occurrences, Deliveries: e.counts.Deliveries, Renotifications: e.counts.Renotifications,
		LastSeen: window.Time(e.counts.LastSeen), ResolvedAt: window.Time(e.counts.ResolvedAt), Newest: window.Time(e.counts.Newest), Truncated: int64(e.truncated)}
	if e.decision.Storm != "" {
		t.Occurrences, t.Deliveries, t.Renotifications, t.Members =
			e.counts.StormOccurrences, e.counts.StormDeliveries, e.counts.StormRenotifications, e.counts.StormMembers
	}
	return t
}

// verdicts tells what became of every alert. The first firing alert of a fingerprint is
// the one that opened the incident or joined the storm; the others repeat it.
func (c *chunk) verdicts() []Verdict {
	var out []Verdict
	for _, e := range c.entries {
		first := true
		for _, a := range e.alerts {
			v := Verdict{Index: a.Index, Verdict: e.verdict(a, first), Fingerprint: e.item.Fingerprint, Group: c.group.Tag,
				Namespace: e.object.Namespace, Name: e.object.Name,
				Occurrences: e.counts.Occurrences, Deliveries: e.counts.Deliveries, Renotifications: e.counts.Renotifications}
			if e.failure != nil {
				v = refuse(v, e.failure)
			}
			if e.decision.Storm != "" {
				v.Storm = e.object.Name
			}
			first = first && a.Resolved
			out = append(out, v)
		}
	}
	return out
}

func (e *entry) verdict(a alert.Alert, first bool) string {
	switch {
	case a.Resolved && e.object.UID == "":
		return Ignored
	case a.Resolved:
		return Resolved
	case e.created && first:
		return Created
	case e.decision.Kind == window.Member && first && !e.former:
		return Member
	default:
		return Duplicate
	}
}
