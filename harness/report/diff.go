package report

import (
	"cmp"
	"slices"
)

// Change is what differs of one scenario between two reports.
type Change struct {
	ID string
	// Before and After are how it ended: red where any run of the report was. "" where the
	// report has no such scenario.
	Before, After Status
	// BeforeS and AfterS are the mean durations in seconds.
	BeforeS, AfterS float64
	// Cause is the first cause of a red after, else of a red before.
	Cause string
}

// Slower says that a green scenario takes more than twice as long as before, and a second more
// at least: less is noise of a shared machine.
func (c Change) Slower() bool {
	return c.Before == Passed && c.After == Passed && c.AfterS > 2*c.BeforeS && c.AfterS > c.BeforeS+1
}

// Diff lists the scenarios that end otherwise in b than in a, or are in one of them only, or
// have become slow; by id.
func Diff(a, b Report) []Change {
	before, after := endings(a), endings(b)
	var out []Change
	for id, was := range before {
		is := after[id] // of none: no status
		out = append(out, Change{ID: id, Before: was.status, After: is.status, BeforeS: was.mean(), AfterS: is.mean(), Cause: cmp.Or(is.cause, was.cause)})
	}
	for id, is := range after {
		if _, known := before[id]; !known {
			out = append(out, Change{ID: id, After: is.status, AfterS: is.mean(), Cause: is.cause})
		}
	}
	out = slices.DeleteFunc(out, func(c Change) bool { return c.Before == c.After && !c.Slower() })
	slices.SortFunc(out, func(x, y Change) int { return cmp.Compare(x.ID, y.ID) })
	return out
}

type ending struct {
	status   Status
	cause    string
	category string
	runs     int
	total    float64
}

func (e ending) mean() float64 { return e.total / float64(max(1, e.runs)) }

func endings(r Report) map[string]ending {
	out := map[string]ending{}
	for _, run := range r.Runs {
		for _, s := range run.Scenarios {
			e := out[s.ID]
			e.runs++
			e.category = s.Category
			e.total += s.DurationS
			if e.status == "" || e.status == Passed {
				e.status, e.cause = s.Status, s.FirstCause
			}
			out[s.ID] = e
		}
	}
	return out
}
