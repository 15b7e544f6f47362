package judge

import "time"

// tally is what counters must lie between.
type tally struct {
	episodes, maybeEpisodes     map[episode]bool
	deliveries, maybeDeliveries map[delivery]bool
}

type episode struct {
	identity string
	startsAt time.Time
}

type delivery struct{ identity, request string }

func newTally() *tally {
	return &tally{map[episode]bool{}, map[episode]bool{}, map[delivery]bool{}, map[delivery]bool{}}
}

// counted judges P5: occurrences are the distinct firings acknowledged, deliveries the
// acknowledged deliveries, for each object that is left at the end. A request without an
// answer widens the bounds; one that was refused must not have counted.
func counted(e *evidence) Finding {
	if o, missing := e.unlisted(); missing {
		return noList(o)
	}
	tallies := map[*object]*tally{}
	roots := e.roots()
	for _, x := range e.entries {
		if !x.firing() {
			continue
		}
		for _, o := range e.attributed(x) {
			t := tallies[o]
			if t == nil {
				t = newTally()
				tallies[o] = t
			}
			ep, de := episode{x.identity, x.StartsAt.UTC()}, delivery{x.identity, roots[x.request.ID]}
			t.maybeEpisodes[ep], t.maybeDeliveries[de] = true, true
			if x.acked() {
				t.episodes[ep], t.deliveries[de] = true, true
			}
		}
	}
	for _, o := range e.objects {
		t := tallies[o]
		if o.final == nil || !o.Managed {
			continue
		}
		if t == nil {
			if o.final.Occurrences != 0 && e.refusedOnly(o) {
				return fail(o.first.Seq, "occurrences of %s are %d although every request that could have moved it was refused", o.Name, o.final.Occurrences)
			}
			continue
		}
		if f := within(o, "occurrences", o.final.Occurrences, len(t.episodes), len(t.maybeEpisodes)); f.Outcome != Pass {
			return f
		}
		if f := within(o, "deliveries", o.final.Deliveries, len(t.deliveries), len(t.maybeDeliveries)); f.Outcome != Pass {
			return f
		}
	}
	return membersCounted(e)
}

// roots maps each request to the delivery it belongs to: a request and its retries are one.
//
// The limit: where an attempt of a chain got no answer at all, each attempt stands for
// itself. The first may have been settled whole, with only the answer lost, and the gateway
// cannot know the retry for one, so such a chain may rightly count once or once an attempt.
func (e *evidence) roots() map[string]string {
	root, split := map[string]string{}, map[string]bool{}
	for _, r := range e.requests {
		root[r.ID] = r.ID
		if above, known := root[r.RetryOf]; known {
			root[r.ID] = above
		}
		if r.maybe() {
			split[root[r.ID]] = true
		}
	}
	for id, top := range root {
		if split[top] {
			root[id] = id
		}
	}
	return root
}

// refusedOnly reports whether every firing alert that could have moved the object was in a
// request answered with a refusal.
func (e *evidence) refusedOnly(o *object) bool {
	if e.opaque() {
		return false
	}
	sent := false
	for _, x := range e.entries {
		if !x.firing() || !x.concerns(o) {
			continue
		}
		if x.request.maybe() || x.request.answer.Acked() {
			return false
		}
		sent = true
	}
	return sent
}

func within(o *object, what string, got int64, least, most int) Finding {
	if got < int64(least) || got > int64(most) {
		return fail(o.first.Seq, "%s of %s are %d, must lie between %d (acknowledged) and %d (possible)", what, o.Name, got, least, most)
	}
	return pass()
}

// attributed finds the objects whose counters an entry may have moved: the one that its
// verdict names, or for a request without an answer every one that it could have met.
func (e *evidence) attributed(x *entry) []*object {
	if x.acked() {
		var out []*object
		for _, o := range e.named(x.verdict.Namespace, x.verdict.Name) {
			if !o.deleted {
				out = append(out, o)
			}
		}
		return out
	}
	if !x.request.maybe() {
		return nil
	}
	var out []*object
	for _, o := range e.objects {
		if o.Managed && x.concerns(o) {
			out = append(out, o)
		}
	}
	return out
}

// membersCounted: a storm's status counts the members in its pages.
func membersCounted(e *evidence) Finding {
	members := map[string]int64{}
	for _, p := range e.pages {
		members[p.Page.Namespace+"/"+p.Page.Storm] += int64(len(p.Page.Members))
	}
	for _, o := range e.objects {
		if o.Storm && o.final != nil {
			if n := members[o.Namespace+"/"+o.Name]; o.final.Members != n {
				return fail(o.first.Seq, "status of storm %s counts %d members, its pages hold %d", o.Name, o.final.Members, n)
			}
		}
	}
	return pass()
}
