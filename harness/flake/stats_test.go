package flake

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestKnownBounds(t *testing.T) {
	for name, c := range map[string]struct {
		failures, runs int
		want           float64
	}{
		"nothing is known without runs":      {0, 0, 1},
		"three greens only bound 63 %":       {0, 3, 0.6316},
		"59 greens bound 5 %":                {0, 59, 0.0495},
		"299 greens bound 1 %":               {0, 299, 0.00997},
		"one red in three (tables)":          {1, 3, 0.8647},
		"two reds in ten (tables)":           {2, 10, 0.5069},
		"as many reds as runs bound nothing": {3, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := UpperBound(c.failures, c.runs, 0.95); math.Abs(got-c.want) > 0.0001 {
				t.Errorf("got %.5f, want %.5f", got, c.want)
			}
		})
	}
}

func TestRunsNeededAndPower(t *testing.T) {
	if a, b := RunsNeeded(0.05, 0.95), RunsNeeded(0.01, 0.95); a != 59 || b != 299 {
		t.Errorf("got %d and %d, want 59 and 299", a, b)
	}
	if p := Power(0.20, 3); math.Abs(p-0.488) > 0.001 {
		t.Errorf("a suite that is red one time in five is noticed with %.3f, want 0.488", p)
	}
}

func TestMoreFailuresNeverLowerTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "runs")
		k := rapid.IntRange(0, n-1).Draw(t, "failures")
		a, b := UpperBound(k, n, 0.95), UpperBound(k+1, n, 0.95)
		if b < a-1e-9 || a < float64(k)/float64(n) {
			t.Fatalf("bounds %v and %v for %d and %d of %d", a, b, k, k+1, n)
		}
	})
}

func TestARedRunStartsTheCountAgain(t *testing.T) {
	if f := Of(58, 1, 3); f.RunsFor5Pct != 59 {
		t.Errorf("got %d, want 59", f.RunsFor5Pct)
	}
	if f := Of(58, 0, 3); f.RunsFor5Pct != 1 {
		t.Errorf("got %d, want 1", f.RunsFor5Pct)
	}
}

func TestRunsUntilIsTheFirstNumberThatIsEnough(t *testing.T) {
	for failures := range 4 {
		for _, limit := range []float64{0.2, 0.05, 0.005} {
			n := RunsUntil(limit, failures)
			if UpperBound(failures, n, 0.95) > limit || UpperBound(failures, n-1, 0.95) <= limit {
				t.Errorf("%d runs for %v with %d failures", n, limit, failures)
			}
		}
	}
	if n := RunsUntil(0.005, 0); n != 598 {
		t.Errorf("0.5 %% takes %d runs, want 598", n)
	}
}
