package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/history"
)

// indexed is the evidence of a history that is written in lines.
func indexed(t *testing.T, lines ...string) *evidence {
	t.Helper()
	s := newScript()
	for _, line := range lines {
		if err := s.line(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
	}
	e, missing := gather(s.done())
	if missing != nil {
		t.Fatal(missing.Why)
	}
	return e
}

// ids are the requests of entries.
func ids(list []*entry) (out []string) {
	for _, x := range list {
		out = append(out, x.request.ID)
	}
	return out
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhatMayHaveTakenEffectUnseen(t *testing.T) {
	for name, c := range map[string]struct {
		answer *history.Answer
		maybe  bool
	}{
		"no answer in the history": {nil, true},
		"a lost answer":            {&history.Answer{}, true},
		"never sent":               {&history.Answer{Barred: true}, false},
		"499":                      {&history.Answer{Status: 499}, false},
		"500":                      {&history.Answer{Status: 500}, true},
		"503 behind a barrier":     {&history.Answer{Status: 503, Barred: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, (&request{answer: c.answer}).maybe(), c.maybe)
		})
	}
}

func TestATrackHoldsTheFiringAlertsInTheOrderOfTheirAnswers(t *testing.T) {
	e := indexed(t, "send a x/resolved x", "send b x", "202 b duplicate:o1", "object added o1 of x", "202 a resolved:o1 duplicate:o1")
	track := e.incidents[e.identity(labelsOf("x"))]
	equal(t, ids(track.entries), []string{"a", "b"})
	equal(t, ids(track.acks), []string{"b", "a"})
	equal(t, ids(after(track.entries, track.entries[0].request.event.Seq)), []string{"b"})
}

func TestAGroupIsTheFirstRuleWhoseLabelsAreThere(t *testing.T) {
	e := &evidence{begin: history.Begin{Storms: []history.StormRule{
		{Name: "pod", By: []string{"ns", "pod"}}, {Name: "ns", By: []string{"ns"}}, {Name: "rest", By: []string{"alertname"}}}}}
	for name, c := range map[string]struct {
		labels map[string]string
		want   string
	}{
		"both labels":        {map[string]string{"ns": "a", "pod": "p"}, `pod,"a","p"`},
		"one of two":         {map[string]string{"ns": "a", "alertname": "A"}, `ns,"a"`},
		"none: the last":     {map[string]string{"alertname": "A"}, `rest,"A"`},
		"none, nor the last": {nil, `rest,""`},
	} {
		t.Run(name, func(t *testing.T) {
			key, _ := e.group(c.labels)
			equal(t, key, c.want)
		})
	}
}

// since is a moment of the script's clock, after the beginning.
func since(t time.Time) time.Duration { return t.Sub(t0) }

func TestAnObjectWasCreatedBetweenItsRequestAndItsFirstSign(t *testing.T) {
	for name, c := range map[string]struct {
		lines            []string
		earliest, latest time.Duration
		work             int
	}{
		"the answer came after":      {[]string{"send a x", "object added o1 of x", "201 a created:o1"}, 2, 3, 1},
		"the answer came before":     {[]string{"send a x", "201 a created:o1", "object added o1 of x"}, 2, 3, 1},
		"the first that was told":    {[]string{"send a x", "201 a created:o1", "send b x", "201 b created:o1", "object added o1 of x"}, 2, 3, 1},
		"one that was told too late": {[]string{"send z z", "object added o1 of x", "lost z", "send a x", "201 a created:o1"}, 3, 3, 1},
		"a lost reply":               {[]string{"send a x", "lost a", "object added o1 of x"}, 2, 4, 0},
		"unseen, and earlier":        {[]string{"send a x", "lost a", "send b x", "object added o1 of x", "201 b created:o1"}, 2, 5, 1},
	} {
		t.Run(name, func(t *testing.T) {
			e := indexed(t, append([]string{"begin schema="}, c.lines...)...)
			earliest, latest := e.created(e.objects[0])
			equal(t, []time.Duration{since(earliest), since(latest)}, []time.Duration{c.earliest * time.Millisecond, c.latest * time.Millisecond})
			equal(t, e.work, c.work)
		})
	}
}

func TestNamesLeadToAllObjectsThatHadThem(t *testing.T) {
	e := indexed(t, "open a x o1", "object deleted o1 of x", "object added o1 of x uid=second", "open b y o2")
	for i, c := range []struct {
		name          string
		objects, work int
	}{{"o1", 2, 2}, {"o2", 1, 3}, {"o3", 0, 3}} {
		equal(t, len(e.named(&history.Verdict{Namespace: "ns", Name: c.name})), c.objects)
		if e.work != c.work {
			t.Errorf("after %d names the work is %d, want %d", i+1, e.work, c.work)
		}
	}
}
