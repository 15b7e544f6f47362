package judge

import (
	"sort"
	"time"
)

// unique judges P2: at most one open object of an identity at any time, and each with an
// incarnation number of its own.
func unique(e *evidence, b *breach) {
	for identity, t := range e.incidents {
		// By induction over a history without a break, the object before is the only one
		// that can still be open.
		var older *object
		numbers := map[int]*object{}
		for _, o := range t.objects {
			e.work++
			if o.Storm {
				continue
			}
			if twin := numbers[o.Incarnation]; o.Incarnation > 0 && twin != nil && (!twin.deleted || twin.gone.Seq >= o.first.Seq) {
				b.fail(o.first.Seq, "two objects with incarnation %d of one incident, %s and %s: %s", o.Incarnation, twin.Name, o.Name, identity)
			}
			numbers[o.Incarnation] = o
			if older != nil && (older.over == 0 || older.over > o.first.Seq) && (e.begin.HoldWhileActive || !e.windowPast(older, o)) {
				b.fail(o.first.Seq, "two open objects for one incident, %s and %s: %s", older.Name, o.Name, identity)
			}
			older = o
		}
	}
}

// windowPast reports whether the older object's window may have passed when the newer one
// was made: nothing of the identity was acknowledged for a window before it.
func (e *evidence) windowPast(older, newer *object) bool {
	last, _ := e.created(older)
	earliest, latest := e.created(newer)
	acks := e.incidents[older.identity].acks
	n := sort.Search(len(acks), func(i int) bool { return !acks[i].request.end.Clock.Before(earliest) })
	if n > 0 {
		last = later(last, acks[n-1].request.event.Clock)
	}
	return latest.Sub(last) > e.begin.Window
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
