package binaries

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func holds(name string) Rung[string] {
	return Rung[string]{Name: name, Try: func(context.Context) (string, string, error) { return "got " + name, name + " is there", nil }}
}

func breaks(name string, err error) Rung[string] {
	return Rung[string]{Name: name, Try: func(context.Context) (string, string, error) { return "", "", err }}
}

func TestClimbTakesTheFirstRungThatHolds(t *testing.T) {
	absent := &Unavailable{What: "x", Reason: "not here", Fix: "bring it", Err: errors.New("detail")}
	tests := map[string]struct {
		rungs     []Rung[string]
		rung, why string
	}{
		"the first, with no excuses":           {[]Rung[string]{holds("a"), holds("b")}, "a", "a is there"},
		"a later one, with the reasons before": {[]Rung[string]{breaks("a", errors.New("no a")), breaks("b", absent), holds("c")}, "c", "c is there; a: no a; b: not here"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			told := 0
			got, err := Climb(t.Context(), tc.rungs, func(Miss) { told++ })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tc.rung, "got " + tc.rung, tc.why}, []string{got.Rung, got.Got, got.Why()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if told != len(got.Missed) {
				t.Errorf("told of %d misses, want %d", told, len(got.Missed))
			}
		})
	}
}

func TestClimbWithoutAnyRungThatHoldsKeepsEveryCause(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	_, err := Climb(t.Context(), []Rung[string]{breaks("a", first), breaks("b", second)}, nil)
	if !errors.Is(err, first) || !errors.Is(err, second) {
		t.Errorf("got %v, want both causes", err)
	}
}

func TestClimbEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	rungs := []Rung[string]{{Name: "a", Try: func(context.Context) (string, string, error) {
		cancel()
		return "", "", errors.New("interrupted")
	}}, holds("b")}
	if _, err := Climb(ctx, rungs, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
