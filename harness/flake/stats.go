package flake

import (
	"math"

	"github.com/stormproof/stormproof/harness/report"
)

// Method names how the bound is computed.
const Method = "clopper-pearson, one-sided 95 %"

// UpperBound is the one-sided upper confidence bound (Clopper-Pearson) on the chance of a
// red run, after that many failures in that many runs. confidence lies in (0,1). Without
// runs nothing is known: 1.
func UpperBound(failures, runs int, confidence float64) float64 {
	if runs == 0 || failures >= runs {
		return 1
	}
	alpha := 1 - confidence
	if failures == 0 {
		return 1 - math.Pow(alpha, 1/float64(runs))
	}
	// The bound is the p at which so few failures are just unlikely enough; the chance of
	// them falls with p.
	low, high := 0.0, 1.0
	for range 100 {
		p := (low + high) / 2
		if atMost(failures, runs, p) > alpha {
			low = p
		} else {
			high = p
		}
	}
	return (low + high) / 2
}

// atMost is the chance of at most k failures in n runs that each fail with chance p.
func atMost(k, n int, p float64) float64 {
	sum := 0.0
	for i := 0; i <= k; i++ {
		logC := lgamma(n+1) - lgamma(i+1) - lgamma(n-i+1)
		sum += math.Exp(logC + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

func lgamma(n int) float64 {
	v, _ := math.Lgamma(float64(n))
	return v
}

// RunsNeeded is how many green runs in all bring the bound down to limit.
func RunsNeeded(limit, confidence float64) int {
	return int(math.Ceil(math.Log(1-confidence) / math.Log1p(-limit)))
}

// RunsUntil is how many runs in all, with so many failures and no further one, bring the 95 %
// bound down to limit, in (0,1).
func RunsUntil(limit float64, failures int) int {
	if failures == 0 {
		return RunsNeeded(limit, confidence)
	}
	low, high := failures, failures+1 // UpperBound falls with runs: high is the first power that is enough
	for UpperBound(failures, high, confidence) > limit {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if middle := (low + high) / 2; UpperBound(failures, middle, confidence) > limit {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// Power is the chance that n runs notice a suite that is red with chance rate.
func Power(rate float64, n int) float64 { return 1 - math.Pow(1-rate, float64(n)) }

// Of says what so many runs and failures are worth; gateRuns is how many runs the gate
// makes.
func Of(runs, failures, gateRuns int) *report.Flake {
	more := func(limit float64) int {
		if failures > 0 {
			// After a failure the count begins again: green runs do not undo a red one.
			return RunsNeeded(limit, 0.95)
		}
		return max(0, RunsNeeded(limit, 0.95)-runs)
	}
	return &report.Flake{Runs: runs, Failures: failures, UpperBound95: UpperBound(failures, runs, 0.95), Method: Method,
		RunsFor5Pct: more(0.05), RunsFor1Pct: more(0.01),
		Power: map[string]float64{"p05": Power(0.05, gateRuns), "p20": Power(0.20, gateRuns)}}
}
