package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// shownFailures is how many executions the summary lists: code hosts cut long ones off.
const shownFailures = 10

// WriteSummary writes the page that a code host shows beside a build. Its first line is
// the verdict and what the evidence is worth.
func WriteSummary(w io.Writer, r Report) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "**%s** · %d/%d · %s\n\n", r.Verdict(), r.Totals.Passed, r.Totals.Expected, boundText(r.Flake))
	fmt.Fprintf(&b, "%s\n\n", r.Headline())
	if r.Flake != nil {
		fmt.Fprintf(&b, "%s\n\n", r.Flake.Sentence())
	}
	summaryRates(&b, r)
	summaryCriteria(&b, r.Gate)
	summaryFailures(&b, r)
	summaryEnvironment(&b, r.Environment)
	_, err := w.Write(b.Bytes())
	return err
}

func boundText(f *Flake) string {
	if f == nil || f.Runs == 0 {
		return "flake rate not bounded (run `make gate`)"
	}
	return fmt.Sprintf("flake rate ≤ %s (95 %%, %d of %d runs green)", share(f.UpperBound95), f.Runs-f.Failures, f.Runs)
}

// tally counts passed of executed.
type tally struct{ passed, total int }

func (t *tally) add(s Status) {
	t.total++
	if s == Passed {
		t.passed++
	}
}

// rates counts by category and run.
func rates(r Report) map[string][]tally {
	out := map[string][]tally{}
	for i, run := range r.Runs {
		for _, s := range run.Scenarios {
			if out[s.Category] == nil {
				out[s.Category] = make([]tally, len(r.Runs))
			}
			out[s.Category][i].add(s.Status)
		}
	}
	return out
}

func summaryRates(b *bytes.Buffer, r Report) {
	if len(r.Runs) == 0 {
		return
	}
	b.WriteString("| category |")
	for i, run := range r.Runs {
		fmt.Fprintf(b, " run %d (seed %d, procs %d) |", i+1, run.Seed, run.Procs)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(r.Runs)) + "\n")
	all := rates(r)
	sums := make([]tally, len(r.Runs))
	for _, category := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(b, "| %s |", cell(category))
		for i, t := range all[category] {
			sums[i].passed += t.passed
			sums[i].total += t.total
			fmt.Fprintf(b, " %s |", t)
		}
		b.WriteString("\n")
	}
	b.WriteString("| **all** |")
	for _, t := range sums {
		fmt.Fprintf(b, " **%s** |", t)
	}
	b.WriteString("\n\n")
	for i, run := range r.Runs {
		if run.Error != "" {
			fmt.Fprintf(b, "Run %d did not finish: %s\n\n", i+1, cell(run.Error))
		}
	}
}

func (t tally) String() string {
	if t.total == 0 {
		return "none ran"
	}
	return fmt.Sprintf("%d/%d %s", t.passed, t.total, Percent(t.passed, t.total))
}

func summaryCriteria(b *bytes.Buffer, g *Gate) {
	if g == nil {
		return
	}
	b.WriteString("| criterion | want | got | |\n|---|---|---|---|\n")
	for _, c := range g.Criteria {
		mark := "✓ met"
		if !c.Pass {
			mark = "**✗ missed**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", cell(c.Name), cell(c.Want), cell(c.Got), mark)
	}
	b.WriteString("\n")
}

func summaryFailures(b *bytes.Buffer, r Report) {
	groups := r.Failures()
	if len(groups) == 0 {
		return
	}
	total := 0
	for _, g := range groups {
		total += len(g.Seen)
	}
	fmt.Fprintf(b, "## %s, %s\n\n", count(total, "execution")+" not green", count(len(groups), "cause"))
	left := shownFailures
	for _, g := range groups {
		if left == 0 {
			break
		}
		fmt.Fprintf(b, "### %s (%s, %d×)\n\n", cell(g.Cause), g.Status, len(g.Seen))
		for _, s := range g.Seen[:min(left, len(g.Seen))] {
			fmt.Fprintf(b, "- **%s** %s, run %d", cell(s.Scenario.ID), cell(s.Scenario.Title), s.Run+1)
			if s.Scenario.Replay != "" {
				fmt.Fprintf(b, "\n  `%s`", strings.ReplaceAll(oneLine(s.Scenario.Replay), "`", "'"))
			}
			b.WriteString("\n")
			left--
		}
		b.WriteString("\n")
	}
	if total > shownFailures {
		fmt.Fprintf(b, "… and %d more: see %s\n\n", total-shownFailures, HTMLFile)
	}
}

func summaryEnvironment(b *bytes.Buffer, e Environment) {
	if len(e.Choices) == 0 {
		return
	}
	b.WriteString("| environment | chosen | why |\n|---|---|---|\n")
	for _, c := range e.Choices {
		fmt.Fprintf(b, "| %s | %s | %s |\n", cell(c.Part), cell(c.Chosen), cell(c.Reason))
	}
	b.WriteString("\n")
}

// cell keeps text from breaking out of a table's cell or being read as markup.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "`", "'").Replace(oneLine(s))
}
