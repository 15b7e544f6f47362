package judge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/harness/history"
)

// TestBoundsHoldToTheMillisecond: each row is a history with one number left open, in
// milliseconds, the greatest or least that passes. Every event takes one millisecond.
func TestBoundsHoldToTheMillisecond(t *testing.T) {
	const window, rule = 5 * 60_000, 60_000
	around := int(skew.Milliseconds())
	for name, c := range map[string]struct {
		promise string
		passes  int
		// fails is 1 where more than that fails, -1 where less does.
		fails int
		lines string
	}{
		"P6: an answer after the deadline and the client's own work": {"P6", 9000, 1, "send a x; object added o1 of x; 201 a created:o1 took=%dms"},
		"P4: the longest life of a key":                              {"P4", 11 * 60_000, 1, "open a x o1; key p:{x} %dms"},
		"P4: a key without a TTL":                                    {"P4", 0, -1, "open a x o1; key p:{x} %dms"},
		"P4: a key that outlives its window":                         {"P4", around - 1, 1, "open a x o1; wait %dms; key p:{x} 11m"},
		"P4: an alert into a deleted object":                         {"P4", 1999, 1, "open a x o1; do delete o1; object deleted o1 of x; wait %dms; send b x; 202 b duplicate:o1"},
		"P3: one object too many in a window":                        {"P3", rule - 11, -1, "open a w o1; open b x o2; open c y o3; advance %dms; open d z o4"},
		"P2: two objects of one incident in a window":                {"P2", window - 4, -1, "begin hold=off; open a x o1; advance %dms; open b x@4m o2 n=2"},
		"P1: an alert into an incident that is over":                 {"P1", window + around - 3, 1, "open a x o1; object modified o1 of x phase=Completed; advance %dms; send b x; 202 b duplicate:o1"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{c.passes, c.passes + c.fails} {
				s := newScript()
				for _, line := range strings.Split(strings.Replace(c.lines, "%d", fmt.Sprint(n), 1), "; ") {
					if err := s.line(strings.Fields(line)); err != nil {
						t.Fatal(err)
					}
				}
				want := Pass
				if n != c.passes {
					want = Fail
				}
				if f := Judge(s.done()).Promises[c.promise]; f.Outcome != want {
					t.Errorf("%d ms: %s (%s), want %s", n, f.Outcome, f.Why, want)
				}
			}
		})
	}
}

func TestARetryAfterIsSecondsOrADate(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "1": true, "-1": false, "soon": false, "1.5": false, "Mon, 30 Nov 2026 12:00:00 GMT": true} {
		if readable(text) != want {
			t.Errorf("%q: %t, want %t", text, !want, want)
		}
	}
}

func TestASearchReadSomethingSomewhere(t *testing.T) {
	for name, c := range map[string]struct {
		scan history.Scan
		want Outcome
	}{
		"one byte in one place":  {history.Scan{Places: 1, Bytes: 1}, Pass},
		"a place without a byte": {history.Scan{Places: 1}, Inconclusive},
		"bytes of no place":      {history.Scan{Bytes: 1}, Inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript()
			s.begin(map[string]string{"secret": "token"})
			s.add(history.Event{Scan: &c.scan})
			equal(t, Judge(s.done()).Promises["P9"].Outcome, c.want)
		})
	}
}

func TestTheEarliestBreakIsKeptAndAFailureBeforeWhatIsUnclear(t *testing.T) {
	type said struct {
		outcome Outcome
		seq     int64
	}
	for name, c := range map[string]struct {
		said []said
		want int
	}{
		"the earlier of two":                   {[]said{{Fail, 5}, {Fail, 3}, {Fail, 4}}, 1},
		"the first of two at one event":        {[]said{{Fail, 5}, {Fail, 5}}, 0},
		"a later failure before the unclear":   {[]said{{Inconclusive, 3}, {Fail, 5}}, 1},
		"an earlier unclear after the failure": {[]said{{Fail, 5}, {Inconclusive, 3}}, 0},
		"the earlier of two unclear":           {[]said{{Inconclusive, 5}, {Inconclusive, 3}, {Inconclusive, 3}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var b breach
			for i, s := range c.said {
				b.keep(s.outcome, s.seq, "%d", []any{i})
			}
			equal(t, b.finding(), Finding{Outcome: c.said[c.want].outcome, Why: fmt.Sprint(c.want), Evidence: []int64{c.said[c.want].seq}})
		})
	}
}

func TestTheFirstCause(t *testing.T) {
	fail := func(seqs ...int64) Finding { return Finding{Outcome: Fail, Why: "broken", Evidence: seqs} }
	fault := history.Fault{ID: "f", Target: "redis", Kind: "cut", Planned: 3}
	some := fault
	some.Applied = 2
	for name, c := range map[string]struct {
		v    Verdict
		want string
	}{
		"none":                      {Verdict{Promises: map[string]Finding{"P1": {Outcome: Pass}}}, ""},
		"the earliest event":        {Verdict{Promises: map[string]Finding{"P7": fail(9), "P1": fail(7, 4), "P5": fail(6)}}, "P1: broken"},
		"one event: the rule first": {Verdict{Promises: map[string]Finding{"P1": fail(4), "P2": fail(4), "P5": fail(4)}}, "P2: broken"},
		"without evidence: last":    {Verdict{Promises: map[string]Finding{"P7": fail(), "P9": fail(99)}}, "P9: broken"},
		"before a fault":            {Verdict{Promises: map[string]Finding{"P1": fail(9)}, Faults: []history.Fault{fault}}, "P1: broken"},
		"a fault":                   {Verdict{Faults: []history.Fault{fault}}, "fault f (redis cut) was armed and hit nothing: the scenario did not test it"},
		"a fault that hit less":     {Verdict{Faults: []history.Fault{some}}, "fault f (redis cut) was armed and hit 2 times of 3: the scenario did not test it"},
		"an assumption before all":  {Verdict{Assumption: &Finding{Outcome: Inconclusive, Why: "no beginning"}, Promises: map[string]Finding{"P1": fail(1)}}, "no beginning"},
	} {
		t.Run(name, func(t *testing.T) { equal(t, c.v.FirstCause(), c.want) })
	}
}

func TestFaultsThatHitLessThanPlannedAreIdle(t *testing.T) {
	for name, c := range map[string]struct {
		lines string
		idle  []string
	}{
		"once when nothing is planned": {"fault f armed; fault f removed applied=1", nil},
		"never":                        {"fault f armed; fault f removed", []string{"f"}},
		"as often as planned":          {"fault f armed planned=2; fault f removed planned=2 applied=2", nil},
		"one less":                     {"fault f armed planned=2; fault f removed planned=2 applied=1", []string{"f"}},
		"two, in their order":          {"fault b armed; note x; fault a armed; fault a removed; fault b removed", []string{"b", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range indexed(t, strings.Split(c.lines, "; ")...).idleFaults() {
				got = append(got, f.ID)
			}
			equal(t, got, c.idle)
		})
	}
}

func TestWhenTheSystemWasDown(t *testing.T) {
	for name, c := range map[string]struct {
		lines string
		want  []span
	}{
		"from a stop to its end":                              {"do restart; note x; do restarted", []span{{2, 4}}},
		"two stops are one":                                   {"do kill; do terminate; do restarted; do restarted", []span{{2, 4}}},
		"until the end of the history":                        {"note x; do kill", []span{{3, 5}}},
		"a fault that is no crash":                            {"fault f armed; fault f removed applied=1", nil},
		"an answer does not end it":                           {"do restart; send a x; 503 a -; do restarted", []span{{2, 5}}},
		"of the first version, it does":                       {"begin schema=; do restart; send a x; 503 a -; do restarted", []span{{2, 4}}},
		"but no answer to an earlier request, nor a lost one": {"begin schema=; send a x; do restart; 503 a -; send b x; lost b; do restarted", []span{{3, 7}}},
	} {
		t.Run(name, func(t *testing.T) {
			equalSpans(t, indexed(t, strings.Split(c.lines, "; ")...).down, c.want)
		})
	}
}

func equalSpans(t *testing.T, got, want []span) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("down in %v, want %v", got, want)
	}
}

func TestALaterRequestIsToldNoLess(t *testing.T) {
	for name, c := range map[string]struct {
		lines string
		want  Outcome
	}{
		"as much":                           {"open a x o1; send b x; 202 b duplicate:o1#1/1; send c x; 202 c duplicate:o1#1/1", Pass},
		"fewer occurrences":                 {"send a x; object added o1 of x; 201 a created:o1#2/2; send b x; 202 b duplicate:o1#1/2", Fail},
		"fewer deliveries":                  {"send a x; object added o1 of x; 201 a created:o1#1/2; send b x; 202 b duplicate:o1#1/1", Fail},
		"asked before the other was told":   {"send a x; object added o1 of x; send b x; 201 a created:o1#1/2; 202 b duplicate:o1#1/1", Pass},
		"Redis was touched in between":      {"send a x; object added o1 of x; 201 a created:o1#1/2; do redis FLUSHALL; send b x; 202 b duplicate:o1#1/1", Pass},
		"asked before Redis was touched":    {"send a x; object added o1 of x; 201 a created:o1#1/2; send b x; do redis FLUSHALL; 202 b duplicate:o1#1/1", Pass},
		"more occurrences than firings":     {"send a x; object added o1 of x; 201 a created:o1#2/1", Fail},
		"as many as were sent, seen or not": {"send a x; send b x@1m; object added o1 of x; 201 a created:o1#2/1; 202 b duplicate:o1#2/2", Pass},
	} {
		t.Run(name, func(t *testing.T) {
			e := indexed(t, strings.Split(c.lines, "; ")...)
			var b breach
			neverFalling(e, &b)
			if f := b.finding(); f.Outcome != c.want {
				t.Errorf("%s (%s), want %s", f.Outcome, f.Why, c.want)
			}
		})
	}
}
