package scenario

import (
	"errors"
	"strings"
	"testing"
)

const loadScenario = `id: CON-90
title: a load step
category: concurrency
promises: [P1]
steps:
  - load: {id: a, count: 3, answers: {201: 3}}
`

func TestALoadStepReads(t *testing.T) {
	s, err := Parse("con-90.yaml", []byte(strings.Replace(loadScenario, "count: 3",
		"rate: 2.5, poisson: true, for: 2s, profile: {groups: 2, skew: {groups: 1}, padding: {min: 9}}, answersWithin: {p99.9: 1s}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if problems := Lint([]*Scenario{s}, nil); len(problems) > 0 {
		t.Error(problems)
	}
	step := s.Steps[0]
	if a := step.Load.Arrival(); a.Rate != 2.5 || !a.Poisson || a.For.Seconds() != 2 || step.Load.Profile.Padding.Min != 9 || step.Load.Profile.Skew.Groups != 1 {
		t.Errorf("arrival %+v, profile %+v", a, step.Load.Profile)
	}
	if step.Name() != "load a, 2.5/s" {
		t.Errorf("name %q", step.Name())
	}
}

// TestAuthorsMistakesInALoadStep: each is found, at its field.
func TestAuthorsMistakesInALoadStep(t *testing.T) {
	for name, c := range map[string]struct{ old, new, field, want string }{
		"no end":               {", count: 3", "", "steps.0.load", "no end"},
		"shares above one":     {"count: 3", "count: 3, profile: {duplicates: 0.7, resolves: 0.7}", "steps.0.load.profile", "1.4 together"},
		"a share that is none": {"count: 3", "count: 3, profile: {duplicates: 2}", "steps.0.load.profile.duplicates", "write at most 1"},
		"an unknown field":     {"count: 3", "count: 3, profile: {duplicate: 1}", "steps.0.load.profile.duplicate", "duplicates"},
		"poisson without rate": {"count: 3", "count: 3, poisson: true", "steps.0.load", "needs a rate"},
		"no percentile":        {"count: 3", "count: 3, answersWithin: {q99: 1s}", "steps.0.load.answersWithin.q99", "p99.9 or max"},
		"nothing checked":      {", answers: {201: 3}", "", "steps", "nothing is checked"},
	} {
		t.Run(name, func(t *testing.T) {
			var problems Problems
			s, err := Parse("con-90.yaml", []byte(strings.Replace(loadScenario, c.old, c.new, 1)))
			if s != nil {
				problems = Lint([]*Scenario{s}, nil)
			} else if !asProblems(err, &problems) {
				t.Fatal(err)
			}
			if len(problems) != 1 || problems[0].Field != c.field || !strings.Contains(problems[0].Error(), c.want) || problems[0].Line == 0 {
				t.Errorf("problems %v; want one at %s that says %q", problems, c.field, c.want)
			}
		})
	}
}

func asProblems(err error, out *Problems) bool { return errors.As(err, out) }
