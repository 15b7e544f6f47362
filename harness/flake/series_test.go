package flake

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/report"
)

// lines makes a history of one scenario: each letter is a run, each word a commit.
func lines(id, source string, words ...string) []Run {
	status := map[rune]report.Status{'.': report.Passed, 'F': report.Failed, 'H': report.HarnessError, 'E': report.EnvError}
	var out []Run
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for i, word := range words {
		for _, letter := range word {
			at = at.Add(time.Minute)
			out = append(out, Run{Tree: "t", Commit: string(rune('a' + i)), Code: "c", Seed: at.Unix(), When: at, Green: letter == '.',
				Scenarios: []Execution{{ID: id, Source: source, Status: status[letter], DurationS: 2}}})
		}
	}
	return out
}

func TestASeriesHasItsResultsAndItsBound(t *testing.T) {
	got := SeriesOf(lines("STO-01", "s", "..F.", "H...", "E."))
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	s := got[0]
	if s.Results != "..F.H...E." || s.Runs != 10 || s.Red != 3 || s.MeanS != 2 {
		t.Errorf("%+v", s)
	}
	if s.Causes[report.Failed] != 1 || s.Causes[report.HarnessError] != 1 || s.Causes[report.EnvError] != 1 {
		t.Errorf("causes %v", s.Causes)
	}
	if want := UpperBound(3, 10, 0.95); s.Upper95 != want {
		t.Errorf("bound %v, want %v", s.Upper95, want)
	}
}

func TestAChangeStartsTheCountAgain(t *testing.T) {
	history := append(lines("STO-01", "old", "FF."), lines("STO-01", "new", "..")...)
	if s := SeriesOf(history)[0]; s.Results != ".." || s.Red != 0 {
		t.Errorf("after a change of the scenario: %+v", s)
	}
	history = lines("STO-01", "s", "FF.", "...")
	for i := range history[:3] {
		history[i].Code = "former"
	}
	if s := SeriesOf(history)[0]; s.Results != "..." {
		t.Errorf("after a change of the code: %+v", s)
	}
}

func TestTheFlakiestComesFirst(t *testing.T) {
	history := slices.Concat(lines("A-01", "s", "...."), lines("B-01", "s", ".F"), lines("C-01", "s", "...F"))
	var ids []string
	for _, s := range SeriesOf(history) {
		ids = append(ids, s.ID)
	}
	if !slices.Equal(ids, []string{"B-01", "C-01", "A-01"}) {
		t.Error(ids)
	}
}

func TestTheFirstBadCommit(t *testing.T) {
	for name, c := range map[string]struct {
		words  []string
		commit string
		green  int
		luck   float64
	}{
		"always red since":   {[]string{"....", "....", "FFF"}, "c", 8, 0},
		"half of them since": {[]string{"....", "F.F."}, "b", 4, math.Pow(0.5, 4)},
		"red from the start": {[]string{"F."}, "a", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := FirstBadOf(lines("STO-01", "s", c.words...), "STO-01")
			if !ok || got.Commit != c.commit || got.GreenBefore != c.green || math.Abs(got.Luck-c.luck) > 1e-9 {
				t.Errorf("%v %+v", ok, got)
			}
		})
	}
	if _, ok := FirstBadOf(lines("STO-01", "s", "...."), "STO-01"); ok {
		t.Error("all green, and yet a bad commit")
	}
	if got, _ := FirstBadOf(append(lines("STO-01", "old", "F"), lines("STO-01", "new", "..F")...), "STO-01"); got.GreenBefore != 2 {
		t.Errorf("another text's red was counted: %+v", got)
	}
}

func TestBurnInFallsWithTheDuration(t *testing.T) {
	for took, want := range map[time.Duration]int{0: 10, 5*time.Second - 1: 10, 5 * time.Second: 5, 10 * time.Second: 3,
		30 * time.Second: 2, 5 * time.Minute: 1} {
		if got := BurnIn(took); got != want {
			t.Errorf("%v: %d, want %d", took, got, want)
		}
	}
}

func TestWhatTheHistoryHasNotSeenIsFresh(t *testing.T) {
	history := lines("STO-01", "s", ".")
	got := Fresh(history, map[string]string{"STO-01": "s", "STO-02": "x"})
	if !slices.Equal(got, []string{"STO-02"}) {
		t.Errorf("a new scenario: %v", got)
	}
	if got := Fresh(history, map[string]string{"STO-01": "changed"}); !slices.Equal(got, []string{"STO-01"}) {
		t.Errorf("a changed one: %v", got)
	}
	if got := Fresh(nil, map[string]string{"STO-01": "s"}); got != nil {
		t.Errorf("without a history nothing is new: %v", got)
	}
}
