package judge

import (
	"math"
	"time"
)

// tally is what counters must lie between.
type tally struct {
	episodes, maybeEpisodes map[episode]bool
	deliveries              map[delivery]*attempts
}

type episode struct {
	identity string
	startsAt time.Time
}

// delivery is one alert of one request and of its retries.
type delivery struct{ identity, root string }

// attempts of a delivery: acked ones count once together, each unclear one may count too.
type attempts struct {
	acked   bool
	maybe   int
	firings map[time.Time]bool
}

// bounds of the deliveries.
func (t *tally) bounds() (least, most int) {
	for _, a := range t.deliveries {
		if a.acked {
			least++
			most++
		}
		most += a.maybe
	}
	return least, most
}

// counted judges P5: occurrences are the distinct firings acknowledged, deliveries the
// acknowledged deliveries, renotifications those of them that brought no new firing, for each
// object that is left at the end. A request without an
// answer or with a 5xx widens the bounds; one that was refused with a 4xx has not counted.
func counted(e *evidence, b *breach) {
	tallies := map[*object]*tally{}
	roots := e.roots()
	for _, x := range e.entries {
		if x.firing() {
			e.attribute(x, roots[x.request.ID], tallies)
		}
	}
	for _, o := range e.objects {
		if o.final == nil || !o.Managed {
			continue
		}
		t := tallies[o]
		if t == nil {
			t = &tally{}
		}
		least, most := t.bounds()
		again, mostAgain := t.renotified()
		possible := len(t.maybeEpisodes)
		if e.opaque {
			most, possible, mostAgain = math.MaxInt, math.MaxInt, math.MaxInt // what an unreadable body counted is unknown
		}
		within(b, o, "occurrences", o.final.Occurrences, len(t.episodes), possible)
		within(b, o, "deliveries", o.final.Deliveries, least, most)
		if n := o.final.Renotifications; n != nil {
			within(b, o, "renotifications", *n, again, mostAgain)
		}
	}
	membersCounted(e, b)
	neverFalling(e, b)
}

// roots maps each request to the delivery it belongs to: a request and its retries are one.
func (e *evidence) roots() map[string]string {
	root := map[string]string{}
	for _, r := range e.requests {
		root[r.ID] = r.ID
		if above, known := root[r.RetryOf]; known {
			root[r.ID] = above
		}
	}
	return root
}

func within(b *breach, o *object, what string, got int64, least, most int) {
	if got < int64(least) || got > int64(most) {
		b.fail(o.finalSeq, "%s of %s are %d, must lie between %d (acknowledged) and %d (possible)", what, o.Name, got, least, most)
	}
}

// attribute adds an entry to the tallies of the objects whose counters it may have moved:
// the one that its verdict names, or for a request whose effect is unclear every one that
// it could have met.
func (e *evidence) attribute(x *entry, root string, tallies map[*object]*tally) {
	add := func(o *object, certain bool) {
		t := tallies[o]
		if t == nil {
			t = &tally{map[episode]bool{}, map[episode]bool{}, map[delivery]*attempts{}}
			tallies[o] = t
		}
		ep, de := episode{x.identity, x.StartsAt.UTC()}, delivery{x.identity, root}
		if t.deliveries[de] == nil {
			t.deliveries[de] = &attempts{firings: map[time.Time]bool{}}
		}
		t.deliveries[de].firings[ep.startsAt] = true
		t.maybeEpisodes[ep] = true
		if certain {
			t.episodes[ep], t.deliveries[de].acked = true, true
		} else {
			t.deliveries[de].maybe++
		}
	}
	switch {
	case x.acked():
		for _, o := range e.named(x.verdict) {
			certain := o.previous == nil || x.verdict.Verdict == "created" && x.request.end.Seq > o.previous.gone.Seq || x.request.event.Seq > o.first.Seq
			if !o.deleted && (certain || x.request.end.Seq > o.previous.gone.Seq) {
				add(o, certain)
			}
		}
	case x.request.maybe():
		for _, t := range []*track{e.incidents[x.identity], e.groups[x.group]} {
			for _, o := range t.objects {
				e.work++
				if o.Storm == (t == e.groups[x.group]) {
					add(o, false)
				}
			}
		}
	}
}

// membersCounted: a storm's status counts the members in its pages.
func membersCounted(e *evidence, b *breach) {
	members := map[string]int64{}
	for _, p := range e.pages {
		members[p.Page.Namespace+"/"+p.Page.Storm] += int64(len(p.Page.Members))
	}
	for _, o := range e.objects {
		if o.Storm && o.final != nil {
			if n := members[o.Namespace+"/"+o.Name]; o.final.Members != n {
				b.fail(o.finalSeq, "status of storm %s counts %d members, its pages hold %d", o.Name, o.final.Members, n)
			}
		}
	}
}

// counter is what the answers about one incident have shown so far.
type counter struct{ occurrences, deliveries int64 }

// neverFalling: of two answers about one incident, the later request is never told less;
// and nobody is told of more than was sent. A Redis whose data the scenario touched may
// forget, so what was told before that is not held against what is told after.
func neverFalling(e *evidence, b *breach) {
	type key struct{ object, identity string }
	told, floors := map[key]counter{}, map[*entry]counter{}
	sent := map[string]map[time.Time]bool{}
	byRequest := map[string][]*entry{}
	for _, x := range e.entries {
		if x.firing() {
			byRequest[x.request.ID] = append(byRequest[x.request.ID], x)
		}
	}
	touched := int64(0)
	keyOf := func(x *entry) key { return key{x.verdict.Namespace + "/" + x.verdict.Name, x.identity} }
	for _, ev := range e.events {
		switch {
		case ev.Action != nil && ev.Action.Kind == "redis":
			touched = ev.Seq
			clear(told)
		case ev.Request != nil:
			for _, x := range byRequest[ev.Request.ID] {
				if sent[x.identity] == nil {
					sent[x.identity] = map[time.Time]bool{}
				}
				sent[x.identity][x.StartsAt.UTC()] = true
				if x.acked() {
					floors[x] = told[keyOf(x)]
				}
			}
		case ev.Answer != nil:
			for _, x := range byRequest[ev.Answer.ID] {
				if !x.acked() || len(e.byName[keyOf(x).object]) != 1 {
					continue
				}
				v, floor := x.verdict, floors[x]
				if x.request.event.Seq > touched {
					if v.Occurrences < floor.occurrences || v.Deliveries < floor.deliveries {
						b.fail(ev.Seq, "%s was told of %d occurrences and %d deliveries of %s, an earlier answer of %d and %d",
							x.short(), v.Occurrences, v.Deliveries, v.Name, floor.occurrences, floor.deliveries)
					}
					old := told[keyOf(x)]
					told[keyOf(x)] = counter{max(old.occurrences, v.Occurrences), max(old.deliveries, v.Deliveries)}
				}
				if n := len(sent[x.identity]); v.Occurrences > int64(n) && !e.opaque {
					b.fail(ev.Seq, "%s was told of %d occurrences of %s, only %d firings had been sent", x.short(), v.Occurrences, v.Name, n)
				}
			}
		}
	}
}
