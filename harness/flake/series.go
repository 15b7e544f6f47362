package flake

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/stormproof/stormproof/harness/report"
)

// confidence of every bound, one-sided.
const confidence = 0.95

// Series is what the kept history says of a scenario as it is now.
type Series struct {
	ID string
	// Results are its executions, oldest first, one letter each; see Letter.
	Results string
	// Runs counts them, Red those that were not green, by status in Causes.
	Runs, Red int
	Causes    map[report.Status]int
	// Upper95 is the upper bound on the chance that it is red.
	Upper95 float64
	// MeanS is how long it took, in seconds.
	MeanS float64
}

// Letter stands for an outcome in a line of results: a dot for green; F for the product, H for
// the harness, E for the environment, I for what could not be told, S for what did not run.
func Letter(s report.Status) byte {
	switch s {
	case report.Passed:
		return '.'
	case report.Failed:
		return 'F'
	case report.HarnessError:
		return 'H'
	case report.EnvError:
		return 'E'
	case report.Skipped:
		return 'S'
	case report.Inconclusive:
		return 'I'
	}
	return '?'
}

// SeriesOf reads each scenario's line of results under the newest run's code and environment
// and the scenario's newest text: a change of either starts the count again. The flakiest comes
// first. history is sorted, as Load leaves it.
func SeriesOf(history []Run) []Series {
	code, sources := "", map[string]string{}
	for _, r := range slices.Backward(history) {
		if len(r.Scenarios) == 0 {
			continue
		}
		code = cmp.Or(code, r.Code)
		for _, e := range r.Scenarios {
			sources[e.ID] = cmp.Or(sources[e.ID], e.Source)
		}
	}
	byID := map[string]*Series{}
	for _, r := range history {
		if r.Code != code {
			continue
		}
		for _, e := range r.Scenarios {
			if e.Source != sources[e.ID] {
				continue
			}
			s := byID[e.ID]
			if s == nil {
				s = &Series{ID: e.ID, Causes: map[report.Status]int{}}
				byID[e.ID] = s
			}
			s.add(e)
		}
	}
	out := make([]Series, 0, len(byID))
	for _, s := range byID {
		s.MeanS /= float64(s.Runs)
		s.Upper95 = UpperBound(s.Red, s.Runs, confidence)
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Series) int {
		return cmp.Or(cmp.Compare(b.Red*a.Runs, a.Red*b.Runs), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func (s *Series) add(e Execution) {
	s.Runs++
	s.Results += string(Letter(e.Status))
	s.MeanS += e.DurationS
	if e.Status != report.Passed {
		s.Red++
		s.Causes[e.Status]++
	}
}

// FirstBad says since when a scenario, its text unchanged, is red now and then.
type FirstBad struct {
	Commit string
	When   time.Time
	// GreenBefore counts the green executions just before it. Luck is the chance of so many in
	// a row, had the scenario been as flaky before as it is since: near 1, the commit is as
	// likely as any before it; near 0, it is the one.
	GreenBefore int
	Luck        float64
}

// FirstBadOf looks for the first red execution of a scenario over all commits, or says false
// where there is none.
func FirstBadOf(history []Run, id string) (FirstBad, bool) {
	var all []Execution
	var of []Run
	for _, r := range history {
		for _, e := range r.Scenarios {
			if e.ID == id {
				all, of = append(all, e), append(of, r)
			}
		}
	}
	// Only what was the same text as now.
	begin := len(all)
	for begin > 0 && all[begin-1].Source == all[len(all)-1].Source {
		begin--
	}
	all, of = all[begin:], of[begin:]
	first := slices.IndexFunc(all, func(e Execution) bool { return e.Status != report.Passed })
	if first < 0 {
		return FirstBad{}, false
	}
	red := 0
	for _, e := range all[first:] {
		if e.Status != report.Passed {
			red++
		}
	}
	rate := float64(red) / float64(len(all)-first)
	return FirstBad{Commit: of[first].Commit, When: of[first].When, GreenBefore: first,
		Luck: math.Pow(1-rate, float64(first))}, true
}

// BurnIn is how often a scenario that is new or was changed runs before it counts, by how long
// it takes: most flakes show in the first runs of a test, and long tests are dear. The ladder
// is the one that Datadog publishes for the detection of early flakes.
func BurnIn(took time.Duration) int {
	switch {
	case took < 5*time.Second:
		return 10
	case took < 10*time.Second:
		return 5
	case took < 30*time.Second:
		return 3
	case took < 5*time.Minute:
		return 2
	}
	return 1
}

// Fresh lists the ids of sources that the history has never seen with this text. A history
// without scenarios knows no old ones either, so nothing in it is new.
func Fresh(history []Run, sources map[string]string) []string {
	type text struct{ id, source string }
	known := map[text]bool{}
	for _, r := range history {
		for _, e := range r.Scenarios {
			known[text{e.ID, e.Source}] = true
		}
	}
	if len(known) == 0 {
		return nil
	}
	var out []string
	for id, source := range sources {
		if !known[text{id, source}] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
