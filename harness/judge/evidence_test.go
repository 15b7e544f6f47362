package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

// hex is a fingerprint as it stands in keys.
var hex = strings.Repeat("ab", 32)

// cached is a good history in which the system keeps a key of its one incident for ttl, and
// promises to drop keys after two minutes and to notice deletions within two seconds.
func cached(name string, ttl time.Duration, do ...func(*h)) []history.Event {
	x := start()
	x.ev[0].Begin.MaxTTL, x.ev[0].Begin.FreesWithin = 2*time.Minute, 2*time.Second
	x.req("a", "1", "").obj("added", "o1", "1", false, 1, 1, 1).ans("a", 201, "created", "1", "o1", 1)
	for i := range x.ev {
		switch e := &x.ev[i]; {
		case e.Object != nil:
			e.Object.Fingerprint = hex
		case e.Answer != nil:
			e.Answer.Verdicts[0].Fingerprint = hex
		}
	}
	for _, f := range do {
		f(x)
	}
	x.add(history.Event{Key: &history.Key{Name: name, TTL: ttl, Type: "hash"}})
	x.obj("listed", "o1", "1", true, 1, 1, 1, func(o *history.Object) { o.Fingerprint = hex })
	return x.end()
}

func TestP4KeysEndAndStandForSomething(t *testing.T) {
	quiet := func(x *h) { x.now = x.now.Add(3 * time.Minute) }
	users := func(x *h) {
		x.add(history.Event{Action: &history.Action{Kind: "redis", Detail: "SET p:user 1"}})
	}
	refused := func(x *h) { x.req("b", "2", "").ans("b", 503, "", "", "", 0) }
	check(t, "P4", []row{
		{"a key of an incident with a TTL passes", Pass, cached("p:"+hex, time.Minute)},
		{"a key without a fingerprint passes", Pass, cached("p:group", time.Minute)},
		{"a key without a TTL fails", Fail, cached("p:"+hex, -1)},
		{"a TTL above the longest fails", Fail, cached("p:"+hex, 3*time.Minute)},
		{"a key that outlives its window fails", Fail, cached("p:"+hex, time.Minute, quiet)},
		{"a key of no incident fails", Fail, cached("p:"+strings.Repeat("cd", 32), time.Minute)},
		{"a refused request may leave its claim", Pass, cached("p:"+strings.Repeat("cd", 32), time.Minute, refused)},
		{"a key that the scenario wrote is its own", Pass, cached("p:user", -1, users)},
		{"a page without its storm fails", Fail, good().page("ns").listed("1")},
	})
}

func TestP4ADeletedObjectFreesItsFingerprint(t *testing.T) {
	again := func(after time.Duration, promise time.Duration) []history.Event {
		x := good()
		x.ev[0].Begin.FreesWithin = promise
		x.action("delete", "o1").obj("deleted", "o1", "1", false, 1, 1, 1)
		x.now = x.now.Add(after)
		x.req("b", "1", "").ans("b", 202, "duplicate", "1", "o1", 2)
		return x.end()
	}
	check(t, "P4", []row{
		{"an alert into an object that has long gone fails", Fail, again(3*time.Second, 2*time.Second)},
		{"one that came at once passes", Pass, again(time.Second, 2*time.Second)},
		{"a system that promises nothing of it passes", Pass, again(time.Hour, 0)},
	})
}

func TestP9NoPlantedSecretLeaks(t *testing.T) {
	planted := func(events ...history.Event) []history.Event {
		x := good()
		x.ev[0].Begin.Secrets = []history.Secret{{Name: "token", SHA256: "x"}}
		for _, e := range events {
			x.add(e)
		}
		return x.listed("1")
	}
	scan := history.Event{Scan: &history.Scan{Places: 2, Bytes: 100}}
	check(t, "P9", []row{
		{"nothing planted is not judged", NotJudged, good().listed("1")},
		{"planted, searched and not found passes", Pass, planted(scan)},
		{"planted and found fails", Fail, planted(history.Event{Leak: &history.Leak{Secret: "token", Where: "the log"}}, scan)},
		{"planted and never searched is inconclusive", Inconclusive, planted()},
		{"a search of nothing is inconclusive", Inconclusive, planted(history.Event{Scan: &history.Scan{}})},
	})
}

func TestP8RunsAgree(t *testing.T) {
	run := func(run, status string, p2 Outcome) Result {
		return Result{Scenario: "STO-01", Run: run, Status: status, Promises: map[string]Outcome{"P2": p2}}
	}
	for name, tc := range map[string]struct {
		results []Result
		want    Outcome
		why     string
	}{
		"one run says nothing":      {[]Result{run("run 1", "passed", Pass)}, NotJudged, "needs several runs"},
		"equal runs pass":           {[]Result{run("run 1", "passed", Pass), run("run 2", "passed", Pass)}, Pass, ""},
		"another status fails":      {[]Result{run("run 1", "passed", Pass), run("run 2", "failed", Pass)}, Fail, "passed in run 1, failed in run 2"},
		"another finding fails":     {[]Result{run("run 1", "passed", Pass), run("run 2", "passed", Inconclusive)}, Fail, "P2 is pass in run 1, inconclusive in run 2"},
		"a missing finding fails":   {[]Result{run("run 1", "passed", Pass), {Scenario: "STO-01", Run: "run 2", Status: "passed"}}, Fail, "P2 is pass in run 1, missing in run 2"},
		"P8 itself is not compared": {[]Result{{Scenario: "STO-01", Promises: map[string]Outcome{"P8": Pass}}, {Scenario: "STO-01"}}, Pass, ""},
		"twice red in one way pass": {[]Result{run("run 1", "failed", Fail), run("run 2", "failed", Fail)}, Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if f := Agree(tc.results)["STO-01"]; f.Outcome != tc.want || f.Why != tc.why {
				t.Errorf("got %s (%s), want %s (%s)", f.Outcome, f.Why, tc.want, tc.why)
			}
		})
	}
}

// TestWhatIsNotBelievedIsInconclusive breaks one assumption at a time; no promise may then
// be decided, and the broken assumption is the one cause.
func TestWhatIsNotBelievedIsInconclusive(t *testing.T) {
	edit := func(f func(ev []history.Event) []history.Event) []history.Event { return f(good().listed("1")) }
	for name, tc := range map[string]struct {
		ev  []history.Event
		why string
	}{
		"a gap": {edit(func(ev []history.Event) []history.Event { return append(ev[:2:2], ev[3:]...) }),
			"event 4 follows event 2: the history has a gap"},
		"a clock that runs backwards": {edit(func(ev []history.Event) []history.Event { ev[3].At = 0; return ev }),
			"the monotonic clock runs backwards at event 4"},
		"an end that is missing": {edit(func(ev []history.Event) []history.Event { return ev[:len(ev)-1] }),
			"the history ends before the scenario did"},
		"two requests with one id": {good().req("a", "1", "").listed("1"), "two requests have the id a"},
		"two answers of one request": {good().ans("a", 202, "duplicate", "1", "o1", 2).listed("1"),
			"request a has two answers"},
		"an answer of nothing": {good().ans("z", 202, "duplicate", "1", "o1", 2).listed("1"), "the answer z belongs to no request"},
		"a request without its answer": {good().req("b", "1", "").listed("1"),
			"request b has no answer in the history"},
		"an object from before": {start().obj("added", "o1", "1", false, 1, 1, 1).req("a", "1", "").ans("a", 201, "created", "1", "o1", 1).listed("1"),
			"object ns/o1 was there before the first request: the start was not clean"},
		"a fault without its receipt": {good().add(history.Event{Fault: &history.Fault{ID: "f", Change: "armed"}}).listed("1"),
			"fault f was armed and its receipt is missing"},
		"no last list": {edit(func(ev []history.Event) []history.Event { ev[0].Begin.Schema = history.Schema; return ev }),
			"the history has no last list of objects, pages and keys"},
		"a last list that held more": {good().obj("listed", "o1", "1", true, 1, 1, 1).add(history.Event{List: &history.List{Objects: 2}}).end(),
			"the last list held 2 objects, 0 pages and 0 keys; the history has 1, 0 and 0 of them"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(tc.ev)
			if v.Outcome() != Inconclusive || v.FirstCause() != tc.why {
				t.Errorf("got %s (%s), want inconclusive (%s)", v.Outcome(), v.FirstCause(), tc.why)
			}
		})
	}
}

func TestAMissingAnswerIsExcusedOnlyWhileTheSystemIsDown(t *testing.T) {
	act := func(kind string) history.Event { return history.Event{Action: &history.Action{Kind: kind}} }
	crash := history.Event{Fault: &history.Fault{ID: "c", Kind: "crash", Change: "armed"}}
	hit := history.Event{Fault: &history.Fault{ID: "c", Kind: "crash", Change: "removed", Planned: 1, Matched: 1, Applied: 1}}
	lost := func(before []history.Event, after ...history.Event) []history.Event {
		x := good()
		x.ev[0].Begin.Schema = history.Schema
		for _, e := range before {
			x.add(e)
		}
		x.req("b", "1", "").ans("b", 0, "", "", "", 0)
		for _, e := range after {
			x.add(e)
		}
		x.obj("listed", "o1", "1", true, 1, 1, 1).add(history.Event{List: &history.List{Objects: 1}})
		return x.end()
	}
	check(t, "P6", []row{
		{"killed before", Pass, lost([]history.Event{act("kill")}, act("restarted"))},
		{"at a crash point", Pass, lost([]history.Event{crash}, hit, act("restart"), act("restarted"))},
		{"terminated before", Pass, lost([]history.Event{act("terminate")})},
		{"up again before it was sent", Fail, lost([]history.Event{act("restart"), act("restarted")})},
		{"killed only afterwards", Fail, lost(nil, act("kill"))},
		{"nothing was broken", Fail, lost(nil)},
	})
}

func TestAFileOfTheFirstVersionIsStillJudged(t *testing.T) {
	events, err := history.Read("../history/testdata/v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if v := Judge(events); v.Outcome() != Pass {
		t.Errorf("%s: %s", v.Outcome(), v.FirstCause())
	}
	if v := Judge(events[:len(events)-1]); v.Outcome() != Inconclusive {
		t.Errorf("without its end it is %s", v.Outcome())
	}
}
