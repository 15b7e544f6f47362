// Package gate decides whether a tree may go on: unit tests, lint and consecutive runs of
// the catalogue, each against a criterion written in gate.yaml.
//
// Evaluate is pure: evidence in, verdict out. A criterion without evidence fails; nothing is
// green by absence. What its green runs are worth is said by package flake.
package gate

import (
	"bytes"
	"cmp"
	_ "embed" // the default criteria
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/stormproof/stormproof/harness/report"
)

// Criteria are what the gate demands.
type Criteria struct {
	// UnitRuns and IntegrationRuns are how many consecutive green runs. 0 unit runs ask for
	// none: a project whose services are not written in Go has none.
	UnitRuns        int `yaml:"unit_runs"`
	IntegrationRuns int `yaml:"integration_runs"`
	// LintIssues is the most allowed; NoLint does not ask the linter at all.
	LintIssues int `yaml:"lint_issues"`
	// PassRate in percent, over all integration runs.
	PassRate float64 `yaml:"pass_rate"`
	// Skipped is the most skipped tests allowed; Forbidden the most markers of skipped,
	// pending or focused tests in the code.
	Skipped   int `yaml:"skipped"`
	Forbidden int `yaml:"skipped_pending_focused_in_code"`
	// Residue is the most scenarios that left something behind.
	Residue int `yaml:"residue"`
	// StartRetries of the control plane.
	StartRetries int `yaml:"start_retries"`
	// Race demands the race detector.
	Race bool `yaml:"race"`
	// FaultsApplied demands that every armed fault hit something.
	FaultsApplied bool `yaml:"faults_applied"`
	// PromisesJudged must be judged in every scenario.
	PromisesJudged []string `yaml:"promises_judged"`
	// BurnIn has scenarios that are new or were changed run several times before the runs that
	// count.
	BurnIn bool `yaml:"burn_in"`
	// Mutants is what seeded bugs must show: "" nothing; "known" that none is on record as
	// having survived; "all" that every one is on record as killed.
	Mutants string `yaml:"mutants"`
	// CatalogueComplete demands that every selected scenario ran in every run.
	CatalogueComplete bool `yaml:"catalogue_complete"`
}

// NoLint is the value of LintIssues that does not ask for the linter.
const NoLint = -1

// What Criteria.Mutants may ask for.
const (
	MutantsKnown = "known"
	MutantsAll   = "all"
)

// notAsked is said of a criterion that the verdict does not rest on.
const notAsked = "not asked for"

//go:embed gate.yaml
var defaults []byte

// Load reads criteria; "" gives the defaults.
func Load(path string) (Criteria, error) {
	b, name := defaults, "the built-in criteria"
	if path != "" {
		var err error
		if b, err = os.ReadFile(path); err != nil {
			return Criteria{}, fmt.Errorf("reading the gate's criteria: %w", err)
		}
		name = path
	}
	var c Criteria
	err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&c)
	if err == nil && !slices.Contains([]string{"", MutantsKnown, MutantsAll}, c.Mutants) {
		return c, fmt.Errorf("%s: mutants: %q is none of %s, %s", name, c.Mutants, MutantsKnown, MutantsAll)
	}
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) && at.GetToken() != nil {
			return c, fmt.Errorf("%s:%d:%d: %s", name, at.GetToken().Position.Line, at.GetToken().Position.Column, at.GetMessage())
		}
		return c, fmt.Errorf("reading %s: %w", name, err)
	}
	return c, nil
}

// UnitRun is one run of all unit tests.
type UnitRun struct {
	Seed                    int64
	Passed, Failed, Skipped int
	// First is the command that runs a test that failed again.
	First string
	// Error says why the run itself did not work; "" normally.
	Error string
}

// Red says that something failed, or did not run.
func (u UnitRun) Red() bool { return u.Error != "" || u.Failed > 0 || u.Passed == 0 }

// Lint is what the linter said.
type Lint struct {
	// Ran is false when it could not run at all.
	Ran    bool
	Issues int
}

// Evidence is all that the verdict rests on.
type Evidence struct {
	Unit []UnitRun
	Lint Lint
	// Scanned says that the code was searched for skipped, pending and focused tests;
	// Forbidden lists what was found, as file:line.
	Scanned   bool
	Forbidden []string
	// Mutants is what is on record of the seeded bugs as they are now.
	Mutants Mutants
	// BurnIn is what came of the scenarios that are new; nil where it was not come to.
	BurnIn *BurnIn
	// Report holds the integration runs.
	Report report.Report
}

// Mutants counts seeded bugs by their verdict on record.
type Mutants struct {
	Killed, Untried int
	Survivors       []string
}

// BurnIn is what came of running new scenarios several times.
type BurnIn struct {
	// Scenarios were new or changed; Executions are their runs in all.
	Scenarios, Executions int
	// Off says why they were not run; "" where they were.
	Off string
	// First is the command that runs the first red one again; "" when all were green.
	First string
}

// Evaluate decides.
func Evaluate(c Criteria, e Evidence) report.Gate {
	g := report.Gate{Verdict: "pass"}
	add := func(name, want, got string, pass bool) {
		g.Criteria = append(g.Criteria, report.Criterion{Name: name, Want: want, Got: got, Pass: pass})
		if !pass {
			g.Verdict = "fail"
		}
	}
	unit(c, e, add)
	switch {
	case c.LintIssues == NoLint:
		add("lint", notAsked, "not run", true)
	case !e.Lint.Ran:
		add("lint", atMostText(c.LintIssues, "issues"), "no evidence", false)
	default:
		add("lint", atMostText(c.LintIssues, "issues"), count(e.Lint.Issues, "issue"), e.Lint.Issues <= c.LintIssues)
	}
	if !e.Scanned {
		add("skipped, pending, focused in code", strconv.Itoa(c.Forbidden), "no evidence", false)
	} else {
		got := strconv.Itoa(len(e.Forbidden))
		if len(e.Forbidden) > 0 {
			got += ": " + e.Forbidden[0]
		}
		add("skipped, pending, focused in code", strconv.Itoa(c.Forbidden), got, len(e.Forbidden) <= c.Forbidden)
	}
	mutants(c, e.Mutants, add)
	burnIn(c, e.BurnIn, add)
	integration(c, e.Report, add)
	return g
}

type adder func(name, want, got string, pass bool)

func unit(c Criteria, e Evidence, add adder) {
	if c.UnitRuns == 0 {
		add("unit tests", notAsked, "not run", true)
		return
	}
	green, passed, skipped, first := 0, 0, 0, ""
	for _, u := range e.Unit {
		if !u.Red() {
			green++
			passed = u.Passed
		} else if first == "" {
			first = fmt.Sprintf("; %d failed; %s", u.Failed, cmp.Or(u.Error, u.First))
		}
		skipped += u.Skipped
	}
	add("unit tests", fmt.Sprintf("%d green runs", c.UnitRuns), fmt.Sprintf("%d of %d, %d tests each%s", green, len(e.Unit), passed, first),
		green == len(e.Unit) && green >= c.UnitRuns)
	add("unit tests skipped", atMostText(c.Skipped, "tests"), count(skipped, "test"), len(e.Unit) > 0 && skipped <= c.Skipped)
}

func burnIn(c Criteria, b *BurnIn, add adder) {
	const name, want = "burn-in of new scenarios", "all green"
	switch {
	case !c.BurnIn:
	case b == nil:
		add(name, want, "not run", false)
	case b.Off != "":
		add(name, want, "off: "+b.Off, true)
	default:
		got := fmt.Sprintf("%d new, %s", b.Scenarios, count(b.Executions, "execution"))
		if b.First != "" {
			got += "; red: " + b.First
		}
		add(name, want, got, b.First == "")
	}
}

func mutants(c Criteria, m Mutants, add adder) {
	if c.Mutants == "" {
		return
	}
	got := fmt.Sprintf("%d killed, %d survived, %d not tried", m.Killed, len(m.Survivors), m.Untried)
	if len(m.Survivors) > 0 {
		got += "; stormproof mutants --id " + m.Survivors[0]
	}
	if c.Mutants == MutantsAll {
		add("seeded bugs", "all killed", got, len(m.Survivors) == 0 && m.Untried == 0 && m.Killed > 0)
		return
	}
	add("seeded bugs", "none known to survive", got, len(m.Survivors) == 0 && m.Killed+m.Untried > 0)
}

func integration(c Criteria, r report.Report, add adder) {
	if len(r.Runs) == 0 { // something before it was red
		judged := add
		add = func(name, want, _ string, _ bool) { judged(name, want, "not run", false) }
	}
	seeds := map[int64]bool{}
	green := 0
	for _, run := range r.Runs {
		seeds[run.Seed] = true
		if greenRun(run) {
			green++
		}
	}
	add("integration runs", fmt.Sprintf("%d green, different seeds", c.IntegrationRuns),
		fmt.Sprintf("%d of %d green, %d seeds", green, len(r.Runs), len(seeds)),
		green == len(r.Runs) && green >= c.IntegrationRuns && len(seeds) == len(r.Runs))
	rate := 0.0
	if r.Totals.Scenarios > 0 {
		rate = 100 * float64(r.Totals.Passed) / float64(max(r.Totals.Expected, r.Totals.Scenarios))
	}
	add("pass rate", fmt.Sprintf("%.1f %%", c.PassRate), fmt.Sprintf("%.1f %%", rate), r.Totals.Scenarios > 0 && rate >= c.PassRate)
	add("scenarios skipped", strconv.Itoa(c.Skipped), strconv.Itoa(r.Totals.Skipped), r.Totals.Skipped <= c.Skipped && r.Totals.Scenarios > 0)
	if c.CatalogueComplete {
		add("catalogue complete", strconv.Itoa(r.Totals.Expected)+" executions", strconv.Itoa(r.Totals.Scenarios),
			r.Totals.Expected > 0 && r.Totals.Scenarios == r.Totals.Expected)
	}
	residue, idle, unjudged := survey(c, r)
	add("residue", strconv.Itoa(c.Residue), strconv.Itoa(residue), residue <= c.Residue && r.Totals.Scenarios > 0)
	if c.FaultsApplied {
		add("faults applied", "all", fmt.Sprintf("%d idle", len(idle)), len(idle) == 0 && r.Totals.Scenarios > 0)
	}
	got := "all"
	if len(unjudged) > 0 {
		got = "missing in " + unjudged[0]
	}
	add("promises judged", strings.Join(c.PromisesJudged, " "), got, len(unjudged) == 0 && r.Totals.Scenarios > 0)
	if c.IntegrationRuns > 1 {
		sameVerdicts(r, add)
	}
	add("control plane restarts", strconv.Itoa(c.StartRetries), strconv.Itoa(r.Environment.StartRetries), len(r.Runs) > 0 && r.Environment.StartRetries <= c.StartRetries)
	if c.Race {
		add("race detector", "on", map[bool]string{true: "on", false: "off: type make gate, with a C compiler installed"}[r.Environment.Race], r.Environment.Race)
	}
}

// survey collects what single scenarios say.
func survey(c Criteria, r report.Report) (residue int, idle, unjudged []string) {
	for _, run := range r.Runs {
		for _, s := range run.Scenarios {
			if len(s.Residue) > 0 {
				residue++
			}
			for _, f := range s.Faults {
				if f.Applied == 0 || f.Applied < f.Planned {
					idle = append(idle, s.ID+" "+f.ID)
				}
			}
			if slices.ContainsFunc(c.PromisesJudged, func(p string) bool { return s.Promises[p] != "pass" && s.Promises[p] != "fail" }) {
				unjudged = append(unjudged, s.ID)
			}
		}
	}
	return residue, idle, unjudged
}

func greenRun(run report.Run) bool {
	if run.Error != "" || len(run.Scenarios) == 0 {
		return false
	}
	return !slices.ContainsFunc(run.Scenarios, func(s report.Scenario) bool { return s.Status != report.Passed })
}

func atMostText(n int, what string) string {
	if n == 0 {
		return "no " + what
	}
	return fmt.Sprintf("at most %d %s", n, what)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
