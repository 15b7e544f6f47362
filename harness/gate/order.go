package gate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stormproof/stormproof/harness/judge"
	"github.com/stormproof/stormproof/harness/report"
)

// order judges P8 over the runs: the same scenario must end in the same way whatever its
// neighbours, its seed and the number of processes were.
func order(r report.Report) map[string]judge.Finding {
	var results []judge.Result
	for i, run := range r.Runs {
		for _, s := range run.Scenarios {
			promises := map[string]judge.Outcome{}
			for p, outcome := range s.Promises {
				promises[p] = judge.Outcome(outcome)
			}
			results = append(results, judge.Result{Scenario: s.ID, Status: string(s.Status), Promises: promises,
				Run: fmt.Sprintf("run %d (seed %d, %d procs)", i+1, run.Seed, run.Procs)})
		}
	}
	return judge.Agree(results)
}

// MarkOrder writes the finding on P8 beside each scenario's other promises.
func MarkOrder(r *report.Report) {
	findings := order(*r)
	for i := range r.Runs {
		for j := range r.Runs[i].Scenarios {
			s := &r.Runs[i].Scenarios[j]
			s.Promises = maps.Clone(s.Promises)
			if s.Promises == nil {
				s.Promises = map[string]string{}
			}
			s.Promises["P8"] = string(findings[s.ID].Outcome)
		}
	}
}

// sameVerdicts is the criterion over all scenarios.
func sameVerdicts(r report.Report, add adder) {
	findings := order(r)
	agreed, first := 0, ""
	for _, id := range slices.Sorted(maps.Keys(findings)) {
		switch f := findings[id]; {
		case f.Outcome == judge.Pass:
			agreed++
		case first == "":
			first = ": " + id + " " + f.Why
		}
	}
	add("same verdict in every run", "all scenarios", fmt.Sprintf("%d of %d%s", agreed, len(findings), first), agreed == len(findings) && agreed > 0)
}
