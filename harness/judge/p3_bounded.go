package judge

import (
	"maps"
	"slices"
	"time"
)

// bounded judges P3: in any window of a storm rule, a group makes at most threshold
// objects. Each creation is only known to lie between two moments; the judge fails what is
// certain. Objects that a user deleted do not count: their slots are free again.
func bounded(e *evidence) Finding {
	type made struct {
		object           *object
		earliest, latest time.Time
	}
	groups := map[string][]made{}
	for _, o := range e.objects {
		if o.Managed && !o.deleted && o.rule.Threshold > 0 {
			earliest, latest := e.created(o)
			groups[o.group] = append(groups[o.group], made{o, earliest, latest})
		}
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		list := groups[group]
		slices.SortFunc(list, func(a, b made) int { return a.latest.Compare(b.latest) })
		n := list[0].object.rule.Threshold
		for i := n; i < len(list); i++ {
			first := list[i-n].earliest
			for _, m := range list[i-n : i] {
				if m.earliest.Before(first) {
					first = m.earliest
				}
			}
			if list[i].latest.Sub(first) < list[i].object.rule.Window {
				return fail(list[i].object.first.Seq, "%d objects of group %s within %s, at most %d are allowed", n+1, group, list[i].object.rule.Window, n)
			}
		}
	}
	return pass()
}

// expiring judges the part of P4 that a history shows: every key has a TTL.
func expiring(e *evidence) Finding {
	for _, ev := range e.events {
		if ev.Key != nil && ev.Key.TTL < 0 {
			return fail(ev.Seq, "Redis key %s has no TTL", ev.Key.Name)
		}
	}
	return pass()
}
