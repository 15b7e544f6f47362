package judge

import (
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// h builds a history by hand, a millisecond an event.
type h struct {
	ev  []history.Event
	now time.Time
}

func start() *h {
	x := &h{now: t0}
	x.add(history.Event{Begin: &history.Begin{Schema: "stormproof.history/v1", Window: 5 * time.Minute, HoldWhileActive: true,
		IgnoredLabels: []string{"severity"}, Deadline: 10 * time.Second, Namespaces: []string{"ns"}, RedisPrefix: "p:",
		Storms: []history.StormRule{{Name: "d", By: []string{"alertname"}, Threshold: 2, Window: time.Minute}}}})
	return x
}
func (x *h) add(e history.Event) *h {
	e.Seq = int64(len(x.ev)) + 1
	x.now = x.now.Add(time.Millisecond)
	e.Clock, e.At = x.now, x.now.Sub(t0)
	x.ev = append(x.ev, e)
	return x
}
func (x *h) adv(d time.Duration) *h {
	x.now = x.now.Add(d)
	return x.add(history.Event{Advance: &history.Advance{By: d}})
}
func lab(n string) map[string]string { return map[string]string{"alertname": "A", "i": n} }
func (x *h) req(id, n string, retryOf string) *h {
	return x.add(history.Event{Request: &history.Request{ID: id, RetryOf: retryOf, Alerts: []history.Alert{{Labels: lab(n), StartsAt: t0}}}})
}
func (x *h) ans(id string, status int, v, n, name string, occ int64) *h {
	a := &history.Answer{ID: id, Status: status, ContentType: "application/json", Latency: time.Millisecond}
	if status >= 400 {
		a.ContentType, a.RetryAfter, a.Problem = "application/problem+json", "1", "urn:x"
	}
	if v != "" {
		a.Verdicts = []history.Verdict{{Verdict: v, Fingerprint: "f" + n, Namespace: "ns", Name: name, Occurrences: occ}}
	}
	return x.add(history.Event{Answer: a})
}
func (x *h) obj(change, name, n string, final bool, inc int, occ, del int64, f ...func(*history.Object)) *h {
	o := &history.Object{Change: change, Final: final, UID: "u" + name, Namespace: "ns", Name: name, Fingerprint: "f" + n,
		Incarnation: inc, Labels: lab(n), Phase: "Pending", Managed: true, Occurrences: occ, Deliveries: del}
	for _, g := range f {
		g(o)
	}
	return x.add(history.Event{Object: o})
}
func (x *h) end() []history.Event {
	return x.add(history.Event{End: &history.End{Clean: true}}).ev
}

func good() *h {
	return start().req("a", "1", "").obj("added", "o1", "1", false, 1, 1, 1).ans("a", 201, "created", "1", "o1", 1)
}

// listed ends a history in which each object of a name list is seen once more.
func (x *h) listed(names ...string) []history.Event {
	for _, n := range names {
		x.obj("listed", "o"+n, n, true, 1, 1, 1)
	}
	return x.end()
}

// opened sends an alert that opens an incident.
func (x *h) opened(n string) *h {
	return x.req("r"+n, n, "").obj("added", "o"+n, n, false, 1, 1, 1).ans("r"+n, 201, "created", n, "o"+n, 1)
}

func (x *h) action(kind, name string) *h {
	return x.add(history.Event{Action: &history.Action{Kind: kind, Namespace: "ns", Name: name}})
}

func (x *h) page(namespace string, members ...string) *h {
	p := &history.Page{Namespace: namespace, Name: "p", Storm: "s"}
	for _, n := range members {
		p.Members = append(p.Members, history.Member{Fingerprint: "f" + n, Labels: lab(n)})
	}
	return x.add(history.Event{Page: p})
}

// lost is a request about alert 1 whose answer a restart of the gateway swallowed.
func (x *h) lost(id string) *h {
	return x.req(id, "1", "").action("restart", "").ans(id, 0, "", "", "", 0)
}

// again is an acknowledged duplicate.
func (x *h) again(id, retryOf string) *h {
	return x.req(id, "1", retryOf).ans(id, 202, "duplicate", "1", "o1", 1)
}

func elsewhere(o *history.Object) { o.Namespace = "other" }

func completed(o *history.Object) { o.Phase = "Completed" }

func storm(members int64) func(*history.Object) {
	return func(o *history.Object) { o.Storm, o.Members = true, members }
}

// released makes the window alone decide when an incident is over.
func released() *h {
	x := start()
	x.ev[0].Begin.HoldWhileActive = false
	return x
}

type row struct {
	name string
	want Outcome
	ev   []history.Event
}

func check(t *testing.T, promise string, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if f := Judge(r.ev).Promises[promise]; f.Outcome != r.want {
				t.Errorf("%s is %s (%s), want %s", promise, f.Outcome, f.Why, r.want)
			}
		})
	}
}

func TestEveryPromiseOfAGoodHistoryPasses(t *testing.T) {
	v := Judge(good().listed("1"))
	for _, p := range []string{"P1", "P2", "P3", "P4", "P5", "P6", "P7"} {
		if f := v.Promises[p]; f.Outcome != Pass {
			t.Errorf("%s is %s: %s", p, f.Outcome, f.Why)
		}
	}
	if v.Outcome() != Pass || v.FirstCause() != "" {
		t.Errorf("outcome is %s with cause %q, want a pass without one", v.Outcome(), v.FirstCause())
	}
}

func TestP1NothingAcknowledgedIsLost(t *testing.T) {
	check(t, "P1", []row{
		{"an acknowledged alert with no object fails", Fail, start().req("a", "1", "").ans("a", 201, "created", "1", "o1", 1).end()},
		{"an unanswered alert with no object passes", Pass, start().lost("a").end()},
		{"an unanswered alert with an object passes", Pass, start().lost("a").obj("added", "o1", "1", false, 1, 1, 1).listed("1")},
		{"an object that nobody asked for fails", Fail, start().req("z", "9", "").ans("z", 400, "", "", "", 0).obj("added", "o1", "1", false, 1, 1, 1).listed("1")},
		{"an object that vanished by itself fails", Fail, good().obj("deleted", "o1", "1", false, 1, 1, 1).end()},
		{"an object that a user deleted passes", Pass, good().action("delete", "o1").obj("deleted", "o1", "1", false, 1, 1, 1).end()},
		{"an object that vanished while a user deleted another fails", Fail, good().action("delete", "o2").obj("deleted", "o1", "1", false, 1, 1, 1).end()},
		{"an object swept away after the last list passes", Pass, good().obj("listed", "o1", "1", true, 1, 1, 1).obj("deleted", "o1", "1", false, 1, 1, 1).end()},
		{"a live object with no last list is inconclusive", Inconclusive, good().end()},
		{"a scenario without objects needs no last list", Pass, start().end()},
		{"a verdict that names another incident's object fails", Fail,
			good().opened("2").req("c", "2", "").ans("c", 202, "duplicate", "2", "o1", 1).listed("1", "2")},
		{"a missing verdict fails", Fail, good().req("b", "1", "").ans("b", 202, "", "", "", 0).listed("1")},
		{"two fingerprints of one identity fail", Fail, good().req("b", "1", "").ans("b", 202, "duplicate", "x", "o1", 1).listed("1")},
		{"a member of a storm that stands twice fails", Fail, good().page("ns", "1", "1").listed("1")},
	})
}

func TestP2OneIncidentHasOneObject(t *testing.T) {
	two := func(x *h, gap time.Duration, last ...func(*history.Object)) []history.Event {
		x.opened("1").obj("modified", "o1", "1", false, 1, 1, 1, last...).adv(gap)
		return x.req("b", "1", "").obj("added", "q1", "1", false, 2, 1, 1).ans("b", 201, "created", "1", "q1", 1).
			obj("listed", "o1", "1", true, 1, 1, 1, last...).obj("listed", "q1", "1", true, 2, 1, 1).end()
	}
	check(t, "P2", []row{
		{"two open objects of one identity fail", Fail, two(start(), 0)},
		{"a second object after the first was completed passes", Pass, two(start(), 6*time.Minute, completed)},
		{"an active object holds its incident past the window", Fail, two(start(), 6*time.Minute)},
		{"without the hold a second object after the window passes", Pass, two(released(), 6*time.Minute)},
		{"without the hold a second object inside the window fails", Fail, two(released(), 4*time.Minute)},
		{"objects of two identities pass", Pass, good().opened("2").listed("1", "2")},
	})
}

func TestP3AStormMakesAtMostThresholdObjects(t *testing.T) {
	check(t, "P3", []row{
		{"as many objects as the threshold pass", Pass, start().opened("1").opened("2").listed("1", "2")},
		{"one object more than the threshold fails", Fail, start().opened("1").opened("2").opened("3").listed("1", "2", "3")},
		{"a third object after the window passes", Pass, start().opened("1").opened("2").adv(time.Minute).opened("3").listed("1", "2", "3")},
		{"a third object just inside the window fails", Fail, start().opened("1").opened("2").adv(59*time.Second).opened("3").listed("1", "2", "3")},
		{"an object whose creation was not answered may be as old as its request", Pass, start().lost("m").
			adv(2*time.Minute).obj("added", "o1", "1", false, 1, 1, 1).opened("2").opened("3").listed("1", "2", "3")},
	})
}

func TestP5CountersAreTrue(t *testing.T) {
	check(t, "P5", []row{
		{"one occurrence too many fails", Fail, good().obj("listed", "o1", "1", true, 1, 2, 1).end()},
		{"one occurrence too few fails", Fail, good().obj("listed", "o1", "1", true, 1, 0, 1).end()},
		{"a repeat of one firing is a delivery and no occurrence", Pass, good().again("b", "").obj("listed", "o1", "1", true, 1, 1, 2).end()},
		{"a repeat that was not counted as a delivery fails", Fail, good().again("b", "").listed("1")},
		{"an unanswered repeat may have counted", Pass, good().lost("b").obj("listed", "o1", "1", true, 1, 1, 2).end()},
		{"an unanswered repeat may not have counted", Pass, good().lost("b").listed("1")},
		{"an unanswered repeat counts once at most", Fail, good().lost("b").obj("listed", "o1", "1", true, 1, 1, 3).end()},
		{"a refused request and its retry are one delivery", Fail, good().req("b/1", "1", "").ans("b/1", 429, "", "", "", 0).
			again("b/2", "b/1").obj("listed", "o1", "1", true, 1, 1, 3).end()},
		{"two acknowledged attempts of one chain are one delivery", Pass, good().again("b/1", "").again("b/2", "b/1").
			obj("listed", "o1", "1", true, 1, 1, 2).end()},
		{"an unanswered attempt and its retry may count once", Pass, good().lost("b/1").again("b/2", "b/1").
			obj("listed", "o1", "1", true, 1, 1, 2).end()},
		{"an unanswered attempt and its retry may count once an attempt", Pass, good().lost("b/1").again("b/2", "b/1").
			obj("listed", "o1", "1", true, 1, 1, 3).end()},
		{"a refused request that counted fails", Fail, start().req("a", "1", "").ans("a", 403, "", "", "", 0).
			obj("added", "o1", "1", false, 1, 1, 1).listed("1")},
		{"a refused request that left an object without a count passes", Pass, start().req("a", "1", "").ans("a", 503, "", "", "", 0).
			obj("added", "o1", "1", false, 1, 0, 0).obj("listed", "o1", "1", true, 1, 0, 0).end()},
		{"a storm that counts a member its pages lack fails", Fail, good().page("ns", "1").obj("listed", "s", "1", true, 1, 1, 1, storm(2)).end()},
		{"a sweep after the last list hides no wrong count", Fail, good().obj("listed", "o1", "1", true, 1, 2, 1).
			obj("deleted", "o1", "1", false, 1, 2, 1).end()},
		{"a live object with no last list is inconclusive", Inconclusive, good().end()},
	})
}

func TestP6NotAcknowledgedMeansSaidSo(t *testing.T) {
	answer := func(change func(*history.Answer)) []history.Event {
		x := start().req("a", "1", "").ans("a", 503, "", "", "", 0)
		change(x.ev[len(x.ev)-1].Answer)
		return x.end()
	}
	check(t, "P6", []row{
		{"a 503 problem with Retry-After passes", Pass, answer(func(*history.Answer) {})},
		{"a 503 without Retry-After fails", Fail, answer(func(a *history.Answer) { a.RetryAfter = "" })},
		{"an error that is no problem document fails", Fail, answer(func(a *history.Answer) { a.ContentType = "text/plain" })},
		{"an answer a second after the deadline passes", Pass, answer(func(a *history.Answer) { a.Latency = 11 * time.Second })},
		{"an answer later than that fails", Fail, answer(func(a *history.Answer) { a.Latency = 11*time.Second + 1 })},
		{"a redirect fails", Fail, answer(func(a *history.Answer) { a.Status = 302 })},
		{"no answer while nothing was broken fails", Fail, answer(func(a *history.Answer) { a.Status = 0 })},
		{"no answer because TLS barred the way passes", Pass, answer(func(a *history.Answer) { a.Status, a.Barred = 0, true })},
		{"no answer during a restart passes", Pass, start().lost("a").end()},
		{"a request without an answer in a clean history is inconclusive", Inconclusive, start().req("a", "1", "").end()},
	})
}

func TestP4AndP7NothingIsLeftBehind(t *testing.T) {
	key := func(name string, ttl time.Duration) []history.Event {
		return start().add(history.Event{Key: &history.Key{Name: name, TTL: ttl}}).end()
	}
	check(t, "P4", []row{
		{"a key that expires passes", Pass, key("p:k", time.Second)},
		{"a key that never expires fails", Fail, key("p:k", -1)},
	})
	check(t, "P7", []row{
		{"a page of the scenario's own namespace passes", Pass, good().page("ns").listed("1")},
		{"a page outside of the namespaces fails", Fail, good().page("other").listed("1")},
		{"a key outside of the prefix fails", Fail, key("q:k", time.Second)},
		{"an object outside of the namespaces fails", Fail, start().req("a", "1", "").ans("a", 503, "", "", "", 0).obj("added", "o1", "1", false, 1, 1, 1, elsewhere).obj("listed", "o1", "1", true, 1, 1, 1, elsewhere).end()},
		{"residue fails", Fail, start().add(history.Event{Residue: &history.Residue{Kind: "object", What: "x"}}).end()},
	})
}

func TestAHistoryThatWasCutShortIsInconclusive(t *testing.T) {
	for _, ev := range [][]history.Event{nil, good().ev} {
		if got := Judge(ev).Outcome(); got != Inconclusive {
			t.Errorf("outcome of %d events is %s, want %s", len(ev), got, Inconclusive)
		}
	}
}

func TestAFaultThatHitNothingMakesAPassInconclusive(t *testing.T) {
	v := Judge(good().add(history.Event{Fault: &history.Fault{ID: "x", Change: "removed", Planned: 1}}).listed("1"))
	if v.Outcome() != Inconclusive || len(v.Faults) != 1 {
		t.Errorf("outcome is %s with %d idle faults, want %s with 1", v.Outcome(), len(v.Faults), Inconclusive)
	}
}

func TestOneHistoryHasOneFirstCause(t *testing.T) {
	x := start()
	for _, n := range []string{"1", "2", "3", "4"} {
		x.opened(n).obj("added", "q"+n, n, false, 2, 1, 1)
	}
	ev := x.end()
	first := Judge(ev).Promises["P2"].Why
	for range 50 {
		if got := Judge(ev).Promises["P2"].Why; got != first {
			t.Fatalf("the cause is %q and was %q", got, first)
		}
	}
}
