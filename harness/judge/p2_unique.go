package judge

import (
	"maps"
	"slices"
	"time"
)

// unique judges P2: at most one open object of an identity at any time.
func unique(e *evidence) Finding {
	byIdentity := map[string][]*object{}
	for _, o := range e.objects {
		if o.Managed && !o.Storm {
			byIdentity[o.identity] = append(byIdentity[o.identity], o)
		}
	}
	for _, identity := range slices.Sorted(maps.Keys(byIdentity)) {
		list := byIdentity[identity]
		for i, newer := range list {
			for _, older := range list[:i] {
				if older.over != 0 && older.over < newer.first.Seq {
					continue
				}
				if !e.begin.HoldWhileActive && e.windowPast(older, newer) {
					continue
				}
				return fail(newer.first.Seq, "two open objects for one incident, %s and %s: %s", older.Name, newer.Name, identity)
			}
		}
	}
	return pass()
}

// windowPast reports whether the older object's window may have passed when the newer one
// was made: nothing of the identity was acknowledged for a window before it.
func (e *evidence) windowPast(older, newer *object) bool {
	_, last := e.created(older)
	earliest, latest := e.created(newer)
	for _, x := range e.entries {
		if x.identity == older.identity && x.firing() && x.acked() && x.request.end.Clock.Before(earliest) {
			last = later(last, x.request.end.Clock)
		}
	}
	return latest.Sub(last) > e.begin.Window
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
