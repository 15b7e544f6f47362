package flake

import (
	"cmp"
	"slices"
	"time"

	"github.com/stormproof/stormproof/harness/internal/jsonl"
	"github.com/stormproof/stormproof/harness/report"
)

// File is the name of a history of runs, in the kept folder and in every report.
const File = "runs.jsonl"

// Run is one run of the catalogue in the kept history.
type Run struct {
	// Tree identifies all that was run, to the letter; Commit is for people, "" without git.
	Tree   string `json:"tree"`
	Commit string `json:"commit,omitempty"`
	// Code identifies the code and the environment, scenarios and documents left out.
	Code string    `json:"code,omitempty"`
	Seed int64     `json:"seed"`
	When time.Time `json:"when"`
	// Green is whether everything passed; Failed lists the ids of what did not.
	Green     bool     `json:"green"`
	Failed    []string `json:"failed,omitempty"`
	DurationS float64  `json:"duration_s"`
	// Scenarios are empty in lines of older versions.
	Scenarios []Execution `json:"scenarios,omitempty"`
}

// Execution is one scenario in one run.
type Execution struct {
	ID string `json:"id"`
	// Source identifies the scenario's own text and that of what it includes.
	Source string        `json:"source"`
	Status report.Status `json:"status"`
	// Signature groups reds of one cause; "" when green.
	Signature string  `json:"signature,omitempty"`
	DurationS float64 `json:"duration_s"`
}

// Subject is what was run.
type Subject struct {
	Tree, Commit, Code string
	// Sources maps scenario ids to the identity of their text.
	Sources map[string]string
}

// Record makes the line of a run.
func Record(s Subject, run report.Run) Run {
	r := Run{Tree: s.Tree, Commit: s.Commit, Code: s.Code, Seed: run.Seed, When: run.Started,
		Green: run.Error == "" && len(run.Scenarios) > 0, DurationS: run.DurationS}
	for _, one := range run.Scenarios {
		if one.Status != report.Passed {
			r.Green = false
			r.Failed = append(r.Failed, one.ID)
		}
		r.Scenarios = append(r.Scenarios, Execution{ID: one.ID, Source: s.Sources[one.ID], Status: one.Status,
			Signature: one.Signature, DurationS: one.DurationS})
	}
	return r
}

// Append adds runs to the history file.
func Append(path string, runs ...Run) error { return jsonl.Append(path, runs...) }

// Load reads a history, oldest run first. No file is no runs; a damaged line is an error with
// its place.
func Load(path string) ([]Run, error) {
	runs, err := jsonl.Load[Run](path)
	return Merge(runs), err
}

// Merge puts histories of several machines together, oldest run first; what is in more than
// one of them counts once.
func Merge(histories ...[]Run) []Run {
	type identity struct {
		tree string
		seed int64
		when int64
	}
	known := map[identity]bool{}
	var out []Run
	for _, h := range histories {
		for _, r := range h {
			id := identity{r.Tree, r.Seed, r.When.UnixNano()}
			if !known[id] {
				known[id] = true
				out = append(out, r)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Run) int { return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.Seed, b.Seed)) })
	return out
}

// CountTree counts the runs and the red runs of one tree.
func CountTree(history []Run, tree string) (runs, failures int) {
	for _, r := range history {
		if r.Tree != tree {
			continue
		}
		runs++
		if !r.Green {
			failures++
		}
	}
	return runs, failures
}

// Past are the runs before a moment as points of a trend, oldest first, the newest most of them.
func Past(history []Run, before time.Time, most int) []report.Past {
	var out []report.Past
	for _, r := range history {
		if r.When.Before(before) && len(r.Scenarios) > 0 {
			out = append(out, report.Past{Label: cmp.Or(r.Commit, "no commit"), When: r.When,
				Passed: len(r.Scenarios) - len(r.Failed), Scenarios: len(r.Scenarios)})
		}
	}
	return out[max(0, len(out)-most):]
}
