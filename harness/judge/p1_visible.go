package judge

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// skew is what the clocks of the system and of the harness may differ by.
const skew = time.Second

// visible judges P1: every acknowledged alert is visible exactly once, and nothing is
// visible that nobody sent.
func visible(e *evidence, b *breach) {
	verdictsComplete(e, b)
	fingerprintsTrue(e, b)
	members := e.membersOf()
	ackedVisible(e, b, members)
	neverIntoThePast(e, b)
	noneVanished(e, b)
	onceOnly(e, b)
	nothingInvented(e, b)
}

// membersOf maps each identity to the storms whose pages hold it, as namespace/name.
func (e *evidence) membersOf() map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			identity := e.identity(m.Labels)
			if out[identity] == nil {
				out[identity] = map[string]int64{}
			}
			out[identity][p.Page.Namespace+"/"+p.Page.Storm] = p.Seq
		}
	}
	return out
}

// verdictsComplete: each alert of an acknowledged request has exactly one verdict, and a
// malformed one is called invalid.
func verdictsComplete(e *evidence, b *breach) {
	for _, r := range e.requests {
		if !r.acked() || r.Opaque || len(r.Alerts) == 0 {
			continue
		}
		count := map[int]int{}
		for _, v := range r.answer.Verdicts {
			count[v.Index]++
		}
		for _, a := range r.Alerts {
			if count[a.Index] != 1 {
				b.fail(r.end.Seq, "alert %d of request %s has %d verdicts in a %d answer, must be one", a.Index, r.ID, count[a.Index], r.answer.Status)
			}
		}
		if len(r.answer.Verdicts) != len(r.Alerts) {
			b.fail(r.end.Seq, "request %s had %d alerts and its answer has %d verdicts", r.ID, len(r.Alerts), len(r.answer.Verdicts))
		}
	}
	for _, x := range e.entries {
		if x.Malformed && x.acked() {
			b.fail(x.request.end.Seq, "%s is malformed and was taken as %s", x.short(), x.verdict.Verdict)
		}
	}
}

// fingerprintsTrue: the gateway's fingerprints and our identities are one to one. They are
// held against each other in the order in which they were seen, so that the first sight of
// a wrong one is the evidence.
func fingerprintsTrue(e *evidence, b *breach) {
	type sight struct {
		seq             int64
		identity, print string
	}
	var sights []sight
	for _, x := range e.entries {
		if x.acked() {
			sights = append(sights, sight{x.request.end.Seq, x.identity, x.verdict.Fingerprint})
		}
	}
	for _, o := range e.objects {
		if o.Managed && !o.Storm {
			sights = append(sights, sight{o.first.Seq, o.identity, o.Fingerprint})
		}
	}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			sights = append(sights, sight{p.Seq, e.identity(m.Labels), m.Fingerprint})
		}
	}
	slices.SortStableFunc(sights, func(a, b sight) int { return cmp.Compare(a.seq, b.seq) })
	byIdentity, byPrint := map[string]string{}, map[string]string{}
	for _, s := range sights {
		if s.print == "" {
			continue
		}
		if old, ok := byIdentity[s.identity]; ok && old != s.print {
			b.fail(s.seq, "one identity has two fingerprints, %.12s and %.12s: %s", old, s.print, s.identity)
			return
		}
		if old, ok := byPrint[s.print]; ok && old != s.identity {
			b.fail(s.seq, "two identities share fingerprint %.12s: %s and %s", s.print, old, s.identity)
			return
		}
		byIdentity[s.identity], byPrint[s.print] = s.print, s.identity
	}
}

// ackedVisible: an acknowledged firing is where its verdict says: the object of its
// identity, or a storm whose pages hold it.
func ackedVisible(e *evidence, b *breach, members map[string]map[string]int64) {
	for _, x := range e.entries {
		if !x.firing() || !x.acked() {
			continue
		}
		seq, v := x.request.end.Seq, x.verdict
		meant := e.named(v)
		if len(meant) == 0 {
			b.fail(seq, "%s was acknowledged as %s of %s/%s, which never existed", x.short(), v.Verdict, v.Namespace, v.Name)
			continue
		}
		_, member := members[x.identity][v.Namespace+"/"+v.Name]
		switch o := meant[len(meant)-1]; {
		case !o.Storm && o.identity != x.identity:
			b.fail(seq, "%s was acknowledged as %s of %s, which is another incident: %s", x.short(), v.Verdict, o.Name, o.identity)
		case o.Storm && !o.deleted && !member:
			b.fail(seq, "%s was acknowledged as %s of storm %s, whose pages do not hold it", x.short(), v.Verdict, o.Name)
		}
	}
}

// neverIntoThePast: an alert that comes when its incident is over opens a new one. Counted
// on an incident that was finished and whose window has passed, nobody would see it.
func neverIntoThePast(e *evidence, b *breach) {
	for _, identity := range slices.Sorted(maps.Keys(e.incidents)) {
		t := e.incidents[identity]
		var last time.Time
		for i := 0; i < len(t.entries); {
			r := t.entries[i].request
			x, j := t.entries[i], i
			for ; j < len(t.entries) && t.entries[j].request == r; j++ {
				e.work++
			}
			overlapped := j < len(t.entries) && t.entries[j].request.event.Seq < r.end.Seq
			if x.acked() && x.verdict.Verdict != "created" && !overlapped && !last.IsZero() && r.event.Clock.Sub(last) > e.begin.Window+skew {
				for _, o := range e.named(x.verdict) {
					ended := o.over != 0 && !o.deleted && o.over < r.event.Seq
					if !o.Storm && (ended || !e.begin.HoldWhileActive && o.first.Seq < r.event.Seq) {
						b.fail(r.end.Seq, "%s was acknowledged as %s of %s, which was over: its window had passed", x.short(), x.verdict.Verdict, o.Name)
					}
				}
			}
			if r.acked() || r.maybe() {
				last = later(last, r.finished(e))
			}
			i = j
		}
	}
}

// finished is the latest moment at which a request can have taken effect.
func (r *request) finished(e *evidence) time.Time {
	if r.answer == nil || r.answer.Status == 0 {
		return e.events[len(e.events)-1].Clock
	}
	return r.end.Clock
}

// noneVanished: an object goes only when a user deletes it.
func noneVanished(e *evidence, b *breach) {
	removed := map[string]bool{}
	list := false
	for _, ev := range e.events {
		if ev.Action != nil && ev.Action.Kind == "delete" {
			removed[ev.Action.Namespace+"/"+ev.Action.Name] = true
		}
		list = list || ev.List != nil
	}
	for _, o := range e.objects {
		switch {
		case !o.Managed || o.final != nil || removed[o.Namespace+"/"+o.Name]:
		case o.deleted:
			b.fail(o.gone.Seq, "%s %s/%s vanished and no user deleted it", kindOf(o), o.Namespace, o.Name)
		case list:
			b.fail(o.first.Seq, "%s %s/%s is not in the last list and no user deleted it", kindOf(o), o.Namespace, o.Name)
		}
	}
}

// onceOnly: nothing stands twice: not two places in one storm, and not an open object of
// its own beside a place in a storm.
func onceOnly(e *evidence, b *breach) {
	members, places := map[string]int64{}, map[string]bool{}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			identity := e.identity(m.Labels)
			place := p.Page.Namespace + "/" + p.Page.Storm + ": " + identity
			if places[place] {
				b.fail(p.Seq, "twice a member of one storm: %s", place)
			}
			places[place] = true
			members[identity] = p.Seq
		}
	}
	for _, o := range e.objects {
		if seq, member := members[o.identity]; member && e.begin.HoldWhileActive && o.Managed && !o.Storm && o.final != nil && o.over == 0 {
			b.fail(seq, "%s has an open object of its own (%s) and is also a member of a storm", o.identity, o.Name)
		}
	}
}

// nothingInvented: every object and member stands for a firing alert that was sent.
func nothingInvented(e *evidence, b *breach) {
	if e.opaque {
		return
	}
	sent := func(identity string, before int64) bool {
		t := e.incidents[identity]
		return t != nil && len(t.entries) > 0 && t.entries[0].request.event.Seq < before
	}
	for _, o := range e.objects {
		if o.Managed && !sent(o.identity, o.first.Seq) {
			b.fail(o.first.Seq, "%s %s stands for no firing alert that was sent", kindOf(o), o.Name)
		}
	}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			if !sent(e.identity(m.Labels), p.Seq) {
				b.fail(p.Seq, "member %.12s of storm %s stands for no firing alert that was sent", m.Fingerprint, p.Page.Storm)
			}
		}
	}
}
