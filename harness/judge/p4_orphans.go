package judge

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// orphans judges P4: every key has a TTL, no key outlives its window or stands for nothing,
// no page stands without its storm, and a deleted object frees its fingerprint.
//
// TTLs are counted by Redis in real time, so they are held against At and not against the
// scenario's clock, which a step may advance while Redis does not notice.
func orphans(e *evidence, b *breach) {
	keysEnd(e, b)
	keysStandForSomething(e, b)
	pagesHaveStorms(e, b)
	deletedIsFree(e, b)
}

// print is what a fingerprint looks like inside a key.
var print = regexp.MustCompile(`[0-9a-f]{64}`)

// keysEnd: each key has a TTL, no longer than allowed, counted from the last request that
// can have touched it.
func keysEnd(e *evidence, b *breach) {
	last, any := e.lastTouched()
	for _, ev := range e.events {
		if ev.Key == nil || e.usersOwn(ev.Key.Name) {
			continue
		}
		if ev.Key.TTL < 0 {
			b.fail(ev.Seq, "Redis key %s has no TTL", ev.Key.Name)
		}
		most := e.begin.MaxTTL
		if most == 0 {
			continue
		}
		if ev.Key.TTL > most {
			b.fail(ev.Seq, "Redis key %s lives for another %s, at most %s are allowed", ev.Key.Name, ev.Key.TTL.Round(time.Second), most)
		}
		touched, known := last[print.FindString(ev.Key.Name)]
		if !known {
			touched = any
		}
		if over := ev.At + ev.Key.TTL - touched - most; over > skew {
			b.fail(ev.Seq, "Redis key %s outlives its window by %s: nothing that touches it came for %s",
				ev.Key.Name, over.Round(time.Second), (ev.At - touched).Round(time.Second))
		}
	}
}

// lastTouched is when each fingerprint and anything at all was last under way.
func (e *evidence) lastTouched() (byPrint map[string]time.Duration, any time.Duration) {
	byPrint = map[string]time.Duration{}
	for _, r := range e.requests {
		at := r.end.At
		if r.answer == nil || r.answer.Status == 0 {
			at = e.events[len(e.events)-1].At // it may still be under way
		}
		any = max(any, at)
	}
	for _, x := range e.entries {
		if x.verdict != nil && x.verdict.Fingerprint != "" {
			byPrint[x.verdict.Fingerprint] = max(byPrint[x.verdict.Fingerprint], x.request.end.At)
		}
	}
	for _, x := range e.entries {
		if x.request.maybe() {
			// Which fingerprint it has is not known: it may be any of them.
			for p := range byPrint {
				byPrint[p] = any
			}
			break
		}
	}
	return byPrint, any
}

// usersOwn reports whether the scenario itself wrote the key.
func (e *evidence) usersOwn(name string) bool {
	return slices.ContainsFunc(e.commands, func(command string) bool { return strings.Contains(command, name) })
}

// keysStandForSomething: a fingerprint in a key is one that an answer, an object or a
// member has. Only where every request was settled: a refused one may leave its claim.
func keysStandForSomething(e *evidence, b *breach) {
	if e.opaque {
		return
	}
	known := map[string]bool{}
	for _, x := range e.entries {
		if x.request.maybe() {
			return
		}
		if x.verdict != nil {
			known[x.verdict.Fingerprint] = true
		}
	}
	for _, o := range e.objects {
		known[o.Fingerprint] = true
	}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			known[m.Fingerprint] = true
		}
	}
	for _, ev := range e.events {
		if ev.Key == nil || e.usersOwn(ev.Key.Name) {
			continue
		}
		if p := print.FindString(ev.Key.Name); p != "" && !known[p] {
			b.fail(ev.Seq, "Redis key %s belongs to a fingerprint without an incident", ev.Key.Name)
		}
	}
}

// pagesHaveStorms: a page belongs to a storm's object, or to one that a user deleted.
func pagesHaveStorms(e *evidence, b *breach) {
	for _, p := range e.pages {
		if list := e.byName[p.Page.Namespace+"/"+p.Page.Storm]; len(list) == 0 || !list[len(list)-1].Storm {
			b.fail(p.Seq, "page %s/%s belongs to storm %s, which has no object", p.Page.Namespace, p.Page.Name, p.Page.Storm)
		}
	}
}

// deletedIsFree: an alert that is sent well after its object was deleted is acknowledged
// into another one. How long "well after" is, the system says; 0 is no promise.
func deletedIsFree(e *evidence, b *breach) {
	if e.begin.FreesWithin == 0 {
		return
	}
	for _, x := range e.entries {
		if !x.firing() || !x.acked() {
			continue
		}
		list := e.named(x.verdict)
		if len(list) == 0 {
			continue // P1 says so
		}
		if o := list[len(list)-1]; o.deleted && o.gone.At+e.begin.FreesWithin < x.request.event.At {
			b.fail(x.request.end.Seq, "%s was acknowledged as %s of %s, deleted %s before it was sent",
				x.short(), x.verdict.Verdict, o.Name, (x.request.event.At - o.gone.At).Round(time.Millisecond))
		}
	}
}
