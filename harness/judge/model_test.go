package judge

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stormproof/stormproof/harness/history"
)

// model is a correct gateway of a few lines: it keeps promises P1 to P6 by construction and
// writes down what a harness would see of it.
type model struct {
	*script
	open map[string]*life
	made map[string]int
	// born are the latest openings of the group, for its threshold.
	born  []time.Time
	storm *life
	all   []*life
	n     int
}

// life is an object with what a correct gateway counts on it.
type life struct {
	name, alert string
	n           int
	uid         string
	storm, over bool
	gone        bool
	seen        time.Time
	episodes    map[string]bool
	deliveries  int
	again       int
	members     []string
}

func (l *life) occurrences() int { return len(l.episodes) }

func (m *model) now() time.Time { return t0.Add(m.at + m.offset) }

func (m *model) show(l *life, change string) {
	w := []string{"object", change, l.name, "of", l.alert, fmt.Sprintf("n=%d", l.n), "uid=" + l.uid,
		fmt.Sprintf("occ=%d", l.occurrences()), fmt.Sprintf("del=%d", l.deliveries), fmt.Sprintf("ren=%d", l.again), fmt.Sprintf("members=%d", len(l.members))}
	if l.over {
		w = append(w, "phase=Completed")
	}
	if l.storm {
		w = append(w, "storm")
	}
	m.object(w)
}

// take counts one firing alert and returns its verdict.
func (m *model) take(alert, startsAt string, counts bool) string {
	episode := alert + startsAt
	count := func(l *life, verdict string) string {
		known := l.episodes[episode]
		l.episodes[episode], l.seen = true, m.now()
		if counts {
			l.deliveries++
			if known {
				l.again++
			}
		}
		own := 0
		for e := range l.episodes {
			if e[:1] == alert {
				own++
			}
		}
		return fmt.Sprintf("%s:%s#%d/%d", verdict, l.name, own, m.n)
	}
	if l := m.open[alert]; l != nil && !l.gone && (!l.over || m.now().Sub(l.seen) <= 5*time.Minute) {
		return count(l, "duplicate")
	}
	if m.storm != nil && !m.storm.gone && m.now().Sub(m.storm.seen) <= time.Minute {
		m.open[alert] = m.storm
		m.storm.members = append(m.storm.members, alert)
		return count(m.storm, "member")
	}
	l := &life{alert: alert, episodes: map[string]bool{}, n: m.made[alert] + 1}
	m.made[alert]++
	m.born = append(slices.DeleteFunc(m.born, func(b time.Time) bool { return m.now().Sub(b) > time.Minute }), m.now())
	l.name = fmt.Sprintf("%s-%d", alert, l.n)
	if l.storm = len(m.born) >= 3; l.storm {
		l.name = fmt.Sprintf("storm-%d", len(m.all))
		l.members = []string{alert}
		m.storm, m.born = l, nil
	}
	l.uid = "u-" + l.name
	m.open[alert], m.all = l, append(m.all, l)
	verdict := count(l, "created")
	m.show(l, "added")
	return verdict
}

// request sends up to three alerts and answers; the effect of an unanswered or refused one
// is drawn as well.
func (m *model) request(t *rapid.T) {
	m.n++
	id := fmt.Sprintf("r%d", m.n)
	startsAt := fmt.Sprintf("@%dm", rapid.IntRange(0, 3).Draw(t, "startsAt"))
	alerts := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), 1, 3, rapid.ID[string]).Draw(t, "alerts")
	var sent []string
	for _, a := range alerts {
		sent = append(sent, a+startsAt)
	}
	outcome := rapid.SampledFrom([]string{"acked", "acked", "acked", "acked", "lost", "503", "400"}).Draw(t, "outcome")
	if outcome == "lost" {
		must(m.line([]string{"do", "restart"}))
	}
	m.send(id, sent)
	effect := outcome == "acked" || outcome != "400" && rapid.Bool().Draw(t, "effect")
	var verdicts []string
	status := "202"
	if effect {
		for _, a := range alerts {
			v := m.take(a, startsAt, true)
			if v[0] == 'c' {
				status = "201"
			}
			verdicts = append(verdicts, v)
		}
	}
	switch outcome {
	case "acked":
		must(m.answer(append([]string{status, id}, verdicts...)))
	case "lost":
		must(m.line([]string{"lost", id}))
		must(m.line([]string{"do", "restarted"}))
	default:
		must(m.answer([]string{outcome, id}))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// step is one thing that happens.
func (m *model) step(t *rapid.T) {
	switch rapid.SampledFrom([]string{"request", "request", "request", "request", "advance", "complete", "delete"}).Draw(t, "step") {
	case "request":
		m.request(t)
	case "advance":
		must(m.line([]string{"advance", fmt.Sprintf("%ds", rapid.IntRange(1, 400).Draw(t, "seconds"))}))
	case "complete":
		if l := m.pick(t); l != nil && !l.over {
			l.over = true
			m.show(l, "modified")
		}
	case "delete":
		if l := m.pick(t); l != nil {
			must(m.line([]string{"do", "delete", l.name}))
			l.gone = true
			m.show(l, "deleted")
			must(m.line([]string{"wait", "3s"}))
		}
	}
}

// pick draws an own object that lives, nil when there is none.
func (m *model) pick(t *rapid.T) *life {
	var living []*life
	for _, l := range m.all {
		if !l.gone && !l.storm {
			living = append(living, l)
		}
	}
	if len(living) == 0 {
		return nil
	}
	return rapid.SampledFrom(living).Draw(t, "object")
}

// execution draws a whole valid history.
func execution(t *rapid.T) []history.Event {
	m := &model{script: newScript(), open: map[string]*life{}, made: map[string]int{}}
	for range rapid.IntRange(0, 40).Draw(t, "steps") {
		m.step(t)
	}
	return m.finish()
}

func (m *model) finish() []history.Event {
	for _, l := range m.all {
		if l.gone {
			continue
		}
		m.show(l, "listed")
		if l.storm {
			m.page(append([]string{"page", l.name + "-p", "of", l.name, "holds"}, l.members...))
		}
		must(m.line([]string{"key", "p:{" + l.alert + "}", "5m"}))
	}
	return m.done()
}

func TestEveryValidExecutionPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if v := Judge(execution(t)); v.Outcome() != Pass {
			t.Fatalf("%s: %s", v.Outcome(), v.FirstCause())
		}
	})
}

// whole is one valid history with everything in it: a firing, a repeat, a storm, a lost
// answer, a fault, a deletion.
func whole() []history.Event {
	m := &model{script: newScript(), open: map[string]*life{}, made: map[string]int{}}
	must(m.line([]string{"fault", "f", "armed", "planned=1"}))
	for _, a := range []string{"a", "b", "a", "c", "d", "c"} {
		m.n++
		id := fmt.Sprintf("r%d", m.n)
		m.send(id, []string{a})
		v := m.take(a, "@0m", true)
		must(m.answer([]string{map[bool]string{true: "201", false: "202"}[v[0] == 'c'], id, v}))
	}
	must(m.line([]string{"fault", "f", "removed", "planned=1", "applied=1"}))
	return m.finish()
}

// clone copies a history deep enough for a mutation, and numbers it anew.
func clone(events []history.Event) []history.Event {
	var out []history.Event
	for _, e := range events {
		if e.Object != nil {
			o := *e.Object
			e.Object = &o
		}
		if e.Answer != nil {
			a := *e.Answer
			a.Verdicts = append([]history.Verdict{}, a.Verdicts...)
			e.Answer = &a
		}
		for _, p := range []any{e.Key, e.List, e.Fault} {
			switch p := p.(type) {
			case *history.Key:
				if p != nil {
					k := *p
					e.Key = &k
				}
			case *history.List:
				if p != nil {
					l := *p
					e.List = &l
				}
			case *history.Fault:
				if p != nil {
					f := *p
					e.Fault = &f
				}
			}
		}
		out = append(out, e)
	}
	return out
}

// without drops the events that a predicate picks.
func without(events []history.Event, drop func(history.Event) bool) []history.Event {
	var out []history.Event
	for _, e := range events {
		if !drop(e) {
			e.Seq = int64(len(out)) + 1
			out = append(out, e)
		}
	}
	return out
}

func TestNoMutationOfAValidHistoryPasses(t *testing.T) {
	if v := Judge(whole()); v.Outcome() != Pass {
		t.Fatalf("the history itself is %s: %s", v.Outcome(), v.FirstCause())
	}
	first := func(events []history.Event, is func(history.Event) bool) *history.Event {
		for i := range events {
			if is(events[i]) {
				return &events[i]
			}
		}
		panic("nothing to mutate")
	}
	object := func(name string, change string) func(history.Event) bool {
		return func(e history.Event) bool {
			return e.Object != nil && e.Object.Name == name && (change == "" || e.Object.Change == change)
		}
	}
	answer := func(e history.Event) bool { return e.Answer != nil }
	type mutation struct {
		outcome Outcome
		promise string // of the first cause; "" for an assumption or a fault
		apply   func([]history.Event) []history.Event
	}
	edit := func(is func(history.Event) bool, change func(*history.Event)) func([]history.Event) []history.Event {
		return func(e []history.Event) []history.Event { change(first(e, is)); return e }
	}
	for name, m := range map[string]mutation{
		"an object that never was": {Fail, "P1", func(e []history.Event) []history.Event {
			e = without(e, object("a-1", ""))
			first(e, func(e history.Event) bool { return e.List != nil }).List.Objects--
			return e
		}},
		"an object missing in the last list": {Inconclusive, "", func(e []history.Event) []history.Event { return without(e, object("a-1", "listed")) }},
		"a second object of one incident": {Fail, "P2", edit(object("b-1", "added"), func(e *history.Event) {
			o := *e.Object
			o.Labels, o.Fingerprint = labelsOf("a"), fingerprintOf("a")
			e.Object = &o
		})},
		"one occurrence too many":   {Fail, "P5", edit(object("a-1", "listed"), func(e *history.Event) { e.Object.Occurrences++ })},
		"one occurrence too few":    {Fail, "P5", edit(object("a-1", "listed"), func(e *history.Event) { e.Object.Occurrences-- })},
		"one delivery too many":     {Fail, "P5", edit(object("a-1", "listed"), func(e *history.Event) { e.Object.Deliveries++ })},
		"a renotification too many": {Fail, "P5", edit(object("a-1", "listed"), func(e *history.Event) { *e.Object.Renotifications++ })},
		"a member too many":         {Fail, "P5", edit(object("storm-2", "listed"), func(e *history.Event) { e.Object.Members++ })},
		"a page that is missing": {Inconclusive, "", func(e []history.Event) []history.Event {
			return without(e, func(e history.Event) bool { return e.Page != nil })
		}},
		"an answer after its time": {Fail, "P6", edit(answer, func(e *history.Event) { e.Answer.Latency = time.Minute })},
		"an answer that never came": {Fail, "P6", edit(answer, func(e *history.Event) {
			e.Answer.Status, e.Answer.Verdicts = 0, nil
		})},
		"an answer without a verdict": {Fail, "P1", edit(answer, func(e *history.Event) { e.Answer.Verdicts = nil })},
		"an answer missing in the file": {Inconclusive, "", func(e []history.Event) []history.Event {
			id := first(e, answer).Answer.ID
			return without(e, func(e history.Event) bool { return e.Answer != nil && e.Answer.ID == id })
		}},
		"an answer that names a stranger":  {Fail, "P1", edit(answer, func(e *history.Event) { e.Answer.Verdicts[0].Name = "b-1" })},
		"a wrong fingerprint in an answer": {Fail, "P1", edit(answer, func(e *history.Event) { e.Answer.Verdicts[0].Fingerprint = fingerprintOf("zz") })},
		"a refusal that took effect": {Fail, "P5", edit(answer, func(e *history.Event) {
			*e.Answer = history.Answer{ID: e.Answer.ID, Status: 400, ContentType: "application/problem+json", Problem: "urn:x"}
		})},
		"no end": {Inconclusive, "", func(e []history.Event) []history.Event { return e[:len(e)-1] }},
		"no last list": {Inconclusive, "", func(e []history.Event) []history.Event {
			return without(e, func(e history.Event) bool { return e.List != nil })
		}},
		"a gap":                    {Inconclusive, "", func(e []history.Event) []history.Event { return append(e[:5:5], e[6:]...) }},
		"a fault that hit nothing": {Inconclusive, "", edit(func(e history.Event) bool { return e.Fault != nil && e.Fault.Change == "removed" }, func(e *history.Event) { e.Fault.Applied = 0 })},
		"a fault without a receipt": {Inconclusive, "", func(e []history.Event) []history.Event {
			return without(e, func(e history.Event) bool { return e.Fault != nil && e.Fault.Change == "removed" })
		}},
		"a key without a TTL":       {Fail, "P4", edit(func(e history.Event) bool { return e.Key != nil }, func(e *history.Event) { e.Key.TTL = -1 })},
		"a key of nobody":           {Fail, "P4", edit(func(e history.Event) bool { return e.Key != nil }, func(e *history.Event) { e.Key.Name = "p:" + fingerprintOf("zz") })},
		"a key of another scenario": {Fail, "P7", edit(func(e history.Event) bool { return e.Key != nil }, func(e *history.Event) { e.Key.Name = "q:z" })},
		"an object in another namespace": {Fail, "P7", func(e []history.Event) []history.Event {
			for i := range e {
				if object("a-1", "")(e[i]) {
					e[i].Object.Namespace = "other"
				}
			}
			return e
		}},
		"an object that vanished": {Fail, "P1", edit(object("a-1", "listed"), func(e *history.Event) { e.Object.Change, e.Object.Final = "deleted", false })},
	} {
		t.Run(name, func(t *testing.T) {
			e := m.apply(clone(whole()))
			if name == "an object that vanished" {
				first(e, func(e history.Event) bool { return e.List != nil }).List.Objects--
			}
			v := Judge(e)
			promise, f := v.Cause()
			if v.Outcome() != m.outcome || promise != m.promise {
				t.Errorf("%s of %q (%s), want %s of %q", v.Outcome(), promise, f.Why, m.outcome, m.promise)
			}
		})
	}
}

// TestJudgingIsLinear bounds the looks at candidates, not the time: 50,000 requests about
// 500 incidents of one group, with storms, repeats and lost answers.
func TestJudgingIsLinear(t *testing.T) {
	work := func(n int) int {
		s := newScript()
		s.events[0].Begin.Storms[0].Threshold = 1 << 20
		for i := range n {
			id, alert, name := fmt.Sprintf("r%d", i), fmt.Sprintf("a%d", i%500), fmt.Sprintf("o%d", i%500)
			r := history.Request{ID: id, Alerts: []history.Alert{{Labels: labelsOf(alert), StartsAt: t0}}}
			s.add(history.Event{Request: &r})
			v := history.Verdict{Verdict: "duplicate", Namespace: "ns", Name: name, Fingerprint: fingerprintOf(alert), Occurrences: 1, Deliveries: int64(i/500 + 1)}
			if i < 500 {
				v.Verdict = "created"
				s.object([]string{"object", "added", name, "of", alert, fmt.Sprintf("del=%d", n/500)})
			}
			s.add(history.Event{Answer: &history.Answer{ID: id, Status: 202, Verdicts: []history.Verdict{v}}})
		}
		e, missing := gather(s.done())
		if missing != nil {
			t.Fatal(missing.Why)
		}
		for _, rule := range rules {
			var b breach
			if rule.check(e, &b); b.finding().Outcome == Fail {
				t.Fatal(rule.promise, b.finding().Why)
			}
		}
		return e.work
	}
	if small, large := work(5_000), work(50_000); large > 12*small || large > 10*50_000 {
		t.Errorf("%d looks for 5,000 requests and %d for 50,000: not linear", small, large)
	}
}

func BenchmarkJudge50000Requests(b *testing.B) {
	s := newScript()
	for i := range 50_000 {
		id := fmt.Sprintf("r%d", i)
		r := history.Request{ID: id, Alerts: []history.Alert{{Labels: labelsOf(fmt.Sprintf("a%d", i%500)), StartsAt: t0}}}
		s.add(history.Event{Request: &r})
		s.add(history.Event{Answer: &history.Answer{ID: id, Status: 503, ContentType: "application/problem+json", Problem: "urn:x", RetryAfter: "1"}})
	}
	events := s.done()
	for b.Loop() {
		if v := Judge(events); v.Outcome() != Pass {
			b.Fatal(v.FirstCause())
		}
	}
}
