package remediation

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// Small decisions, to the byte and to the nanosecond.

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEncodedIsTheLengthInJSONAtMost(t *testing.T) {
	for text, want := range map[string]int{"": 2, "a": 3, " ": 3, "\x1f": 8, "<": 8, ">": 8, "&": 8, "=": 3,
		"\u2028": 8, "\u2029": 8, "\u202a": 5, "\xff": 8, `"`: 4, `\`: 4, "é": 4, `a"<`: 11} {
		if got := encoded(text); got != want {
			t.Errorf("%q: %d bytes, want %d", text, got, want)
		}
	}
	equal(t, weight("k", "vv"), 18)
	equal(t, memberBytes(&v1alpha1.Member{AlertName: "A", Target: v1alpha1.Target{Name: "pod", Namespace: "shop"}, Labels: map[string]string{"a": "b", "cc": "d"}}),
		256+3+5+6+(3+3+2)+(4+3+2))
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		n    int
		want string
	}{
		"it fits":                 {"abc", 3, "abc"},
		"one too many":            {"abcdef", 5, "ab..."},
		"no room but for dots":    {"abcd", 3, "..."},
		"no room at all":          {"abcd", 0, "..."},
		"inside of a character":   {"éééé", 6, "é..."},
		"between two characters":  {"éééé", 7, "éé..."},
		"nothing whole is before": {"\U0001f600abcd", 5, "..."},
	} {
		t.Run(name, func(t *testing.T) { equal(t, cut(c.text, c.n), c.want) })
	}
}

func TestATextIsCutFromItsBoundOn(t *testing.T) {
	for name, c := range map[string]struct {
		bytes, left int
		noted       cuts
	}{
		"at the bound":     {mostText - 2, mostText - 2, nil},
		"one byte above":   {mostText - 1, mostText - 2, cuts{"link (16383 bytes)"}},
		"many bytes above": {3 * mostText, mostText - 2, cuts{"link (49152 bytes)"}},
	} {
		t.Run(name, func(t *testing.T) {
			var noted cuts
			equal(t, len(noted.text("link", strings.Repeat("x", c.bytes))), c.left)
			equal(t, noted, c.noted)
		})
	}
}

func TestTheLongestIsCutFirstAndNamesLast(t *testing.T) {
	// Each weighs 2*3 for its name, 8, and its value with quotes: 26, 26 and 66.
	pairs := map[string]string{"a": strings.Repeat("a", 10), "b": strings.Repeat("b", 10), "c": strings.Repeat("c", 50)}
	for name, c := range map[string]struct {
		most  int
		want  map[string]string
		noted cuts
	}{
		"all of it":               {118, pairs, nil},
		"one byte less":           {117, map[string]string{"a": pairs["a"], "b": pairs["b"], "c": strings.Repeat("c", 46) + "..."}, cuts{"f.c (50 bytes)"}},
		"no more of the longest":  {71, map[string]string{"a": pairs["a"], "b": pairs["b"], "c": "..."}, cuts{"f.c (50 bytes)"}},
		"of two alike by name":    {70, map[string]string{"a": "aaaaaa...", "b": pairs["b"], "c": "..."}, cuts{"f.c (50 bytes)", "f.a (10 bytes)"}},
		"values are not enough":   {56, map[string]string{"b": "...", "c": "..."}, cuts{"f.c (50 bytes)", "f.a (10 bytes)", "f.b (10 bytes)", "f.a (11 bytes)"}},
		"as much as one may take": {38, map[string]string{"b": "...", "c": "..."}, cuts{"f.c (50 bytes)", "f.a (10 bytes)", "f.b (10 bytes)", "f.a (11 bytes)"}},
		"nothing":                 {0, map[string]string{}, cuts{"f.c (50 bytes)", "f.a (10 bytes)", "f.b (10 bytes)", "f.a (11 bytes)", "f.b (11 bytes)", "f.c (51 bytes)"}},
	} {
		t.Run(name, func(t *testing.T) {
			var noted cuts
			equal(t, noted.fit("f", pairs, c.most), c.want)
			equal(t, noted, c.noted)
		})
	}
}

func TestSixteenCutsAreNamedAndTheRestCounted(t *testing.T) {
	for n, suffix := range map[int]string{1: "f (0 bytes)", 16: "f (15 bytes)", 17: "f (15 bytes) and 1 more", 20: "f (15 bytes) and 4 more"} {
		var noted cuts
		for i := range n {
			noted.note("f", i)
		}
		rr := &v1alpha1.RemediationRequest{}
		rr.Annotations = map[string]string{}
		noted.mark(rr)
		if got := rr.Annotations[v1alpha1.AnnotationTruncated]; !strings.HasSuffix(got, suffix) || !strings.HasPrefix(got, "f (0 bytes)") {
			t.Errorf("%d cuts: %q, want it to end in %q", n, got, suffix)
		}
	}
}

func TestTheTimeThatWasAskedForGoesWithAnError(t *testing.T) {
	odd := errors.New("odd")
	if err := withAfter(nil, time.Second); err != nil {
		t.Errorf("no error became %v", err)
	}
	for after, want := range map[time.Duration]time.Duration{-time.Second: 0, 0: 0, 1: 1, time.Second: time.Second} {
		err := withAfter(odd, after)
		if !errors.Is(err, odd) || askedFor(fmt.Errorf("creating: %w", err)) != want || (err == odd) != (want == 0) { //nolint:errorlint // whether it is wrapped is the question
			t.Errorf("asked for %s: %v, which says %s", after, err, askedFor(err))
		}
	}
}

// answers is a server with one answer.
type answers struct {
	header string
	err    error
}

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{StatusCode: http.StatusTooManyRequests, Body: io.NopCloser(strings.NewReader("")),
		Header: http.Header{"Retry-After": {a.header}}}, nil
}

func TestOnlyASensibleRetryAfterIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		server answers
		want   time.Duration
	}{
		"seconds":      {answers{header: "7"}, 7 * time.Second},
		"none":         {answers{header: "0"}, 0},
		"less":         {answers{header: "-7"}, 0},
		"no number":    {answers{header: "7 soon"}, 0},
		"no answer":    {answers{err: io.ErrUnexpectedEOF}, 0},
		"only a digit": {answers{header: "1"}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, asked := withAsked(t.Context())
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server.test", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := OwnRetries(c.server).RoundTrip(r)
			if !errors.Is(err, c.server.err) {
				t.Fatal(err)
			}
			if err == nil {
				equal(t, res.Header.Get("Retry-After"), "")
				if err := res.Body.Close(); err != nil {
					t.Error(err)
				}
			}
			equal(t, time.Duration(asked.Load()), c.want)
		})
	}
}

func TestTheLimitIsCutOnceAndGrowsWhenItIsCalm(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, c := range map[string]struct {
		allowed   float64
		flying    int
		calm      time.Time
		throttled bool
		stale     bool
		asked     time.Duration
		want      float64
		cuts      int
		calmer    time.Duration
	}{
		"a good call when all turns are taken":      {allowed: 4, flying: 4, want: 4.25},
		"a good call of few":                        {allowed: 4, flying: 3, want: 4},
		"a good call of the last whole turn":        {allowed: 4.5, flying: 4, want: 4.5 + 1/4.5},
		"never above the most":                      {allowed: 8, flying: 8, want: 8},
		"not before the server's time is over":      {allowed: 4, flying: 4, calm: now, want: 4},
		"right after it":                            {allowed: 4, flying: 4, calm: now.Add(-1), want: 4.25},
		"throttled":                                 {allowed: 4, flying: 4, throttled: true, want: 2, cuts: 1, calmer: firstPause},
		"throttled, and told for how long":          {allowed: 4, flying: 4, throttled: true, asked: time.Second, want: 2, cuts: 1, calmer: time.Second},
		"throttled while few were under way":        {allowed: 8, flying: 4, throttled: true, want: 2, cuts: 1, calmer: firstPause},
		"throttled while one was":                   {allowed: 8, flying: 1, throttled: true, want: 1, cuts: 1, calmer: firstPause},
		"throttled with others that cut it already": {allowed: 4, flying: 4, throttled: true, stale: true, want: 4},
	} {
		t.Run(name, func(t *testing.T) {
			l := &Limit{Most: 8, Now: func() time.Time { return now }, allowed: c.allowed, flying: c.flying, calm: c.calm}
			cuts := l.cuts
			if c.stale {
				cuts--
			}
			l.give(cuts, c.throttled, c.asked)
			if l.allowed != c.want || l.cuts != c.cuts || l.flying != c.flying-1 {
				t.Errorf("allowed %g, cut %d times, %d under way; want %g, %d, %d", l.allowed, l.cuts, l.flying, c.want, c.cuts, c.flying-1)
			}
			if c.calmer > 0 {
				equal(t, l.calm.Sub(now), c.calmer)
			}
		})
	}
	allowed, _, _ := (&Limit{}).State()
	equal(t, allowed, mostAtOnce)
}

func TestWhatIsDueAndWhatIsForgotten(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, c := range map[string]struct {
		dirty     bool
		ago       time.Duration
		all       bool
		due, kept bool
	}{
		"new, an interval after the last":       {dirty: true, ago: time.Second, due: true, kept: true},
		"new, right before that":                {dirty: true, ago: time.Second - 1, kept: true},
		"new, at a stop":                        {dirty: true, all: true, due: true, kept: true},
		"written, at a stop":                    {all: true, kept: true},
		"written, not seen for as long as kept": {ago: forgetAfter, kept: true},
		"written, not seen for longer":          {ago: forgetAfter + 1},
		"new, not seen for longer":              {dirty: true, ago: forgetAfter + 1, due: true, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			counters := NewCounters(nil, Caller{}, time.Second, nil)
			counters.Note("uid", "shop", "rr", Tally{Occurrences: 3})
			counters.entries["uid"].dirty, counters.entries["uid"].written = c.dirty, now.Add(-c.ago)
			due := counters.due(now, c.all)
			_, kept := counters.entries["uid"]
			equal(t, []bool{len(due) == 1, kept}, []bool{c.due, c.kept})
			if c.kept {
				equal(t, counters.Known("uid"), Tally{Occurrences: 3})
				equal(t, counters.entries["uid"].dirty, c.dirty && !c.due)
			} else {
				equal(t, counters.Known("uid"), Tally{})
			}
		})
	}
	equal(t, forgetAfter, 15*time.Minute)
}

func TestAStatusShowsWhatIsKnownAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		tally     Tally
		truncated int64
		said      bool
	}{
		"nothing was left out": {Tally{Occurrences: 1}, 0, false},
		"one alert was":        {Tally{Occurrences: 1, Truncated: 1}, 1, true},
		"more were":            {Tally{Truncated: 9}, 9, true},
	} {
		t.Run(name, func(t *testing.T) {
			status := v1alpha1.RemediationRequestStatus{Phase: v1alpha1.PhaseActive, Occurrences: 2}
			c.tally.into(&status)
			equal(t, []int64{status.Occurrences, status.TruncatedAlerts}, []int64{2, c.truncated})
			equal(t, meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionComplete) != nil, c.said)
			equal(t, status.Phase, v1alpha1.PhaseActive)
		})
	}
}

func TestTheGreaterOfEachCounterIsKept(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	a := Tally{Occurrences: 1, Deliveries: 9, Renotifications: 1, Members: 9, LastSeen: at, ResolvedAt: at.Add(1), Newest: at, Truncated: 9}
	b := Tally{Occurrences: 9, Deliveries: 1, Renotifications: 9, Members: 1, LastSeen: at.Add(1), ResolvedAt: at, Truncated: 1}
	want := Tally{Occurrences: 9, Deliveries: 9, Renotifications: 9, Members: 9, LastSeen: at.Add(1), ResolvedAt: at.Add(1), Newest: at, Truncated: 9}
	equal(t, a.Max(b), want)
	equal(t, b.Max(a), want)
}
