package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
)

// mutant is one change, as gremlins reports it.
type mutant struct {
	Type   string `json:"type"`
	Status string `json:"status"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

type file struct {
	Name    string   `json:"file_name"`
	Mutants []mutant `json:"mutations"`
}

// result is a package and what became of its mutants.
type result struct {
	floor
	killed, survived, notCovered int
	// hung are those of the killed whose tests did not end in time.
	hung int
	// notViable do not compile; they count nowhere.
	notViable int
	// alive names each mutant that was not killed.
	alive []string
}

// parse reads a report of gremlins. A status that nobody expects is an error: what was not
// decided must not be left out of the score.
func parse(f floor, raw []byte, hung int) (result, error) {
	var in struct {
		Files []file `json:"files"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return result{}, fmt.Errorf("the report of gremlins: %w", err)
	}
	r := result{floor: f, hung: hung}
	slices.SortFunc(in.Files, func(a, b file) int { return strings.Compare(a.Name, b.Name) })
	for _, file := range in.Files {
		slices.SortFunc(file.Mutants, func(a, b mutant) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
		for _, m := range file.Mutants {
			place := fmt.Sprintf("%s:%d:%d %s", path.Join(f.pkg, file.Name), m.Line, m.Column, strings.ToLower(m.Type))
			switch m.Status {
			case "KILLED":
				r.killed++
			case "NOT VIABLE":
				r.notViable++
			case "LIVED":
				r.survived++
				r.alive = append(r.alive, "survived     "+place)
			case "NOT COVERED":
				r.notCovered++
				r.alive = append(r.alive, "not covered  "+place)
			default:
				return result{}, fmt.Errorf("the mutant %s is %q: gremlins did not decide it", place, m.Status)
			}
		}
	}
	if r.mutants() == 0 {
		return result{}, fmt.Errorf("gremlins found nothing to change")
	}
	return r, nil
}

func (r result) mutants() int { return r.killed + r.survived + r.notCovered }

// score is the share of killed mutants in percent. One that no test reaches is one that no
// test notices.
func (r result) score() float64 { return float64(r.killed) / float64(r.mutants()) * 100 }

func (r result) green() bool { return r.score() >= float64(r.least) }

// table tells all results, and whether each is at its floor at least.
func table(results []result) (string, bool) {
	var out strings.Builder
	green := true
	for _, r := range results {
		for _, line := range r.alive {
			fmt.Fprintln(&out, line)
		}
	}
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\npackage\tmutants\tkilled\tof these hung\tsurvived\tnot covered\tdo not compile\tscore\tfloor\t")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f %%\t%d %%\t\n",
			r.pkg, r.mutants(), r.killed, r.hung, r.survived, r.notCovered, r.notViable, r.score(), r.least)
	}
	_ = w.Flush() // a strings.Builder takes everything
	for _, r := range results {
		switch {
		case !r.green():
			green = false
			fmt.Fprintf(&out, "%s is under its floor: write a test for what is named above, and run make mutate PACKAGES=%s\n", r.pkg, r.pkg)
		case int(r.score()) > r.least:
			fmt.Fprintf(&out, "the floor of %s can rise to %d: ci/mutate/main.go\n", r.pkg, int(r.score()))
		}
	}
	return out.String(), green
}
