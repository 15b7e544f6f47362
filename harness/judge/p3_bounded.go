package judge

import (
	"slices"
	"time"
)

// bounded judges P3: in any window of a storm rule, a group makes at most threshold
// objects. Each creation is only known to lie between two moments; the judge fails what is
// certain. Objects that a user deleted do not count: their slots are free again.
func bounded(e *evidence, b *breach) {
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
	for group, list := range groups {
		slices.SortStableFunc(list, func(a, b made) int { return a.latest.Compare(b.latest) })
		n := list[0].object.rule.Threshold
		for i := n; i < len(list); i++ {
			first, last := list[i].earliest, list[i]
			for _, m := range list[i-n : i] {
				e.work++
				if m.earliest.Before(first) {
					first = m.earliest
				}
				if m.object.first.Seq > last.object.first.Seq {
					last = m
				}
			}
			if list[i].latest.Sub(first) < list[i].object.rule.Window {
				b.fail(last.object.first.Seq, "%d objects of group %s within %s, at most %d are allowed", n+1, group, list[i].object.rule.Window, n)
			}
		}
	}
}
