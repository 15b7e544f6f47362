package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Verdict is the one word that stands above everything else.
type Verdict string

// The verdicts. NoResult is not green: a report without a scenario proves nothing.
const (
	VerdictPass     Verdict = "PASS"
	VerdictFail     Verdict = "FAIL"
	VerdictNoResult Verdict = "NO RESULT"
)

// Verdict is the gate's where the gate ran, else whether every scenario passed. The gate
// cannot make a red report green.
func (r *Report) Verdict() Verdict {
	switch {
	case r.Totals.Scenarios == 0:
		if r.Gate != nil && r.Gate.Verdict != "pass" {
			return VerdictFail
		}
		return VerdictNoResult
	case !r.Green(), r.Gate != nil && r.Gate.Verdict != "pass":
		return VerdictFail
	}
	return VerdictPass
}

// Headline is the verdict's reason in one sentence.
func (r *Report) Headline() string {
	t := r.Totals
	if t.Scenarios == 0 {
		return "No scenario ran, so nothing is proven."
	}
	var parts []string
	if t.Passed == t.Expected && t.Scenarios == t.Expected {
		parts = append(parts, fmt.Sprintf("All %s passed in %s", count(t.Expected/max(len(r.Runs), 1), "scenario"), count(len(r.Runs), "run")))
	} else {
		parts = append(parts, fmt.Sprintf("%d of %s passed in %s", t.Passed, count(t.Expected, "execution"), count(len(r.Runs), "run")))
	}
	if missing := t.Expected - t.Scenarios; missing > 0 {
		parts = append(parts, fmt.Sprintf("%d never ran", missing))
	}
	if r.Gate != nil {
		if missed := missedCriteria(r.Gate); len(missed) > 0 {
			parts = append(parts, "criteria missed: "+strings.Join(missed, ", "))
		} else {
			parts = append(parts, fmt.Sprintf("all %d criteria met", len(r.Gate.Criteria)))
		}
	}
	return strings.Join(parts, "; ") + "."
}

func missedCriteria(g *Gate) []string {
	var missed []string
	for _, c := range g.Criteria {
		if !c.Pass {
			missed = append(missed, c.Name)
		}
	}
	return missed
}

// Sentence says in plain English what the evidence is worth.
func (f *Flake) Sentence() string {
	if f.Runs == 0 {
		return "No run of this tree is on record, so nothing is known about how often it is red."
	}
	s := fmt.Sprintf("%d of %s of this tree were green. That proves, with 95 %% confidence, only that it is red in at most %s of runs.",
		f.Runs-f.Failures, count(f.Runs, "run"), share(f.UpperBound95))
	switch {
	case f.RunsFor5Pct > 0:
		return s + fmt.Sprintf(" %d more green runs would prove 5 %%, %d more 1 %%.", f.RunsFor5Pct, f.RunsFor1Pct)
	case f.RunsFor1Pct > 0:
		return s + fmt.Sprintf(" %d more green runs would prove 1 %%.", f.RunsFor1Pct)
	}
	return s
}

// Failure is one cause, with everywhere that it was seen.
type Failure struct {
	Signature string
	Status    Status
	Cause     string
	Seen      []Seen
}

// Seen names one execution: the run's index from 0, and the scenario.
type Seen struct {
	Run      int
	Scenario *Scenario
}

// Failures groups everything that is not green by status and signature, the most frequent
// first.
func (r *Report) Failures() []Failure {
	byKey := map[string]int{}
	var out []Failure
	for i := range r.Runs {
		for j := range r.Runs[i].Scenarios {
			s := &r.Runs[i].Scenarios[j]
			if s.Status == Passed {
				continue
			}
			sig := s.Signature
			if sig == "" {
				sig = Signature(s.FirstCause)
			}
			key := string(s.Status) + "\x00" + sig
			at, ok := byKey[key]
			if !ok {
				at = len(out)
				byKey[key] = at
				out = append(out, Failure{Signature: sig, Status: s.Status, Cause: causeOf(s)})
			}
			out[at].Seen = append(out[at].Seen, Seen{Run: i, Scenario: s})
		}
	}
	slices.SortStableFunc(out, func(a, b Failure) int { return cmp.Compare(len(b.Seen), len(a.Seen)) })
	return out
}

func causeOf(s *Scenario) string {
	if c := oneLine(s.FirstCause); c != "" {
		return c
	}
	if s.Status == Skipped {
		return "did not run"
	}
	return "no cause was recorded"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
