package judge

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Result is one scenario's outcome in one run.
type Result struct {
	Scenario string
	// Run says how the run differed from the others, for example "run 2 (seed 7, 4 procs)".
	Run string
	// Status in the words of whoever ran it.
	Status string
	// Promises maps P1 to P9 to their outcomes.
	Promises map[string]Outcome
}

// Agree judges P8 over several runs of a catalogue: order, seed and parallelism do not
// matter, so a scenario has the same status and the same finding on every promise in each
// run. A scenario that was seen once only is not judged: nothing can be said of it.
func Agree(results []Result) map[string]Finding {
	seen := map[string][]Result{}
	for _, r := range results {
		seen[r.Scenario] = append(seen[r.Scenario], r)
	}
	out := map[string]Finding{}
	for id, list := range seen {
		if len(list) < 2 {
			out[id] = Finding{Outcome: NotJudged, Why: "needs several runs"}
			continue
		}
		out[id] = Finding{Outcome: Pass}
		for _, other := range list[1:] {
			if why := differ(list[0], other); why != "" {
				out[id] = Finding{Outcome: Fail, Why: why}
				break
			}
		}
	}
	return out
}

// differ says how two outcomes of one scenario differ, or "".
func differ(a, b Result) string {
	if a.Status != b.Status {
		return fmt.Sprintf("%s in %s, %s in %s", a.Status, a.Run, b.Status, b.Run)
	}
	var diff []string
	names := maps.Clone(a.Promises)
	maps.Copy(names, b.Promises)
	for _, p := range slices.Sorted(maps.Keys(names)) {
		// P8 itself is what is being decided.
		if p != "P8" && a.Promises[p] != b.Promises[p] {
			diff = append(diff, fmt.Sprintf("%s is %s in %s, %s in %s", p, said(a, p), a.Run, said(b, p), b.Run))
		}
	}
	return strings.Join(diff, "; ")
}

func said(r Result, promise string) string {
	if o, ok := r.Promises[promise]; ok {
		return string(o)
	}
	return "missing"
}
