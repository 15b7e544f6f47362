package gate

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/harness/report"
)

// sound is evidence that passes every default criterion.
func sound() Evidence {
	promises := map[string]string{}
	for _, p := range []string{"P1", "P2", "P3", "P5", "P6", "P7", "P9"} {
		promises[p] = "pass"
	}
	e := Evidence{Scanned: true, Lint: Lint{Ran: true}, BurnIn: &BurnIn{}}
	for i := range int64(3) {
		e.Unit = append(e.Unit, UnitRun{Seed: i, Passed: 10})
		e.Report.Runs = append(e.Report.Runs, report.Run{Seed: i, Scenarios: []report.Scenario{
			{ID: "STO-01", Status: report.Passed, Promises: promises, Faults: []report.Fault{{ID: "f", Planned: 1, Applied: 1}}}}})
	}
	e.Report.Environment.Race = true
	e.Report.Count(1)
	return e
}

func defaultsOf(t *testing.T) Criteria {
	t.Helper()
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSoundEvidencePasses(t *testing.T) {
	if g := Evaluate(defaultsOf(t), sound()); g.Verdict != "pass" {
		t.Errorf("%+v", g)
	}
}

func TestWhatIsNotAskedForIsSaidAndDoesNotFail(t *testing.T) {
	c, e := defaultsOf(t), sound()
	c.UnitRuns, c.LintIssues = 0, NoLint
	e.Unit, e.Lint = nil, Lint{}
	g := Evaluate(c, e)
	said := 0
	for _, k := range g.Criteria {
		if k.Want == notAsked {
			said++
		}
	}
	if g.Verdict != "pass" || said != 2 {
		t.Errorf("said of %d criteria, want 2: %+v", said, g)
	}
}

func TestEachFlawFailsItsOwnCriterion(t *testing.T) {
	for name, c := range map[string]struct {
		spoil     func(*Evidence)
		criterion string
	}{
		"no lint":                    {func(e *Evidence) { e.Lint.Ran = false }, "lint"},
		"a lint issue":               {func(e *Evidence) { e.Lint.Issues = 1 }, "lint"},
		"no unit run":                {func(e *Evidence) { e.Unit = nil }, "unit tests"},
		"a red unit run":             {func(e *Evidence) { e.Unit[1].Failed = 1 }, "unit tests"},
		"a unit run of no test":      {func(e *Evidence) { e.Unit[2].Passed = 0 }, "unit tests"},
		"a skipped unit test":        {func(e *Evidence) { e.Unit[0].Skipped = 1 }, "unit tests skipped"},
		"a focused test":             {func(e *Evidence) { e.Forbidden = []string{"x_test.go:3 FIt"} }, "skipped, pending, focused in code"},
		"code was not searched":      {func(e *Evidence) { e.Scanned = false }, "skipped, pending, focused in code"},
		"two runs only":              {func(e *Evidence) { e.Report.Runs = e.Report.Runs[:2] }, "integration runs"},
		"the same seed twice":        {func(e *Evidence) { e.Report.Runs[1].Seed = 0 }, "integration runs"},
		"a red scenario":             {func(e *Evidence) { e.Report.Runs[0].Scenarios[0].Status = report.Failed }, "integration runs"},
		"an inconclusive scenario":   {func(e *Evidence) { e.Report.Runs[0].Scenarios[0].Status = report.Inconclusive }, "integration runs"},
		"a scenario did not run":     {func(e *Evidence) { e.Report.Totals.Expected = 4 }, "catalogue complete"},
		"nothing ran":                {func(e *Evidence) { e.Report = report.Report{} }, "pass rate"},
		"residue":                    {func(e *Evidence) { e.Report.Runs[0].Scenarios[0].Residue = []string{"redis-key: x"} }, "residue"},
		"an idle fault":              {func(e *Evidence) { e.Report.Runs[0].Scenarios[0].Faults[0].Applied = 0 }, "faults applied"},
		"a promise not judged":       {func(e *Evidence) { e.Report.Runs[0].Scenarios[0].Promises = nil }, "promises judged"},
		"another verdict in one run": {func(e *Evidence) { e.Report.Runs[1].Scenarios[0].Status = report.Failed }, "same verdict in every run"},
		"another finding in one run": {func(e *Evidence) {
			e.Report.Runs[1].Scenarios[0].Promises = map[string]string{"P1": "inconclusive"}
		}, "same verdict in every run"},
		"a silent restart": {func(e *Evidence) { e.Report.Environment.StartRetries = 1 }, "control plane restarts"},
		"no race detector": {func(e *Evidence) { e.Report.Environment.Race = false }, "race detector"},
	} {
		t.Run(name, func(t *testing.T) {
			e := sound()
			c.spoil(&e)
			g := Evaluate(defaultsOf(t), e)
			for _, k := range g.Criteria {
				if k.Name == c.criterion && !k.Pass && g.Verdict == "fail" {
					return
				}
			}
			t.Errorf("criterion %q did not fail: %+v", c.criterion, g)
		})
	}
}

func TestCriteriaWithAnUnknownKeyAreRefusedWithItsPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(path, []byte("unit_runs: 3\nintegration_run: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":2:1: ") {
		t.Errorf("got %v", err)
	}
}

func TestUnitOutcomesAreCounted(t *testing.T) {
	u := CountUnit(strings.NewReader(`{"Action":"pass","Package":"a","Test":"T1"}
{"Action":"fail","Package":"a","Test":"T2"}
{"Action":"skip","Package":"a","Test":"T3"}
{"Action":"fail","Package":"a"}
# not JSON
`))
	if u.Passed != 1 || u.Failed != 1 || u.Skipped != 1 || u.Error != "" || u.First != "go test -run '^T2$' a" {
		t.Errorf("%+v", u)
	}
}

func TestWhatDidNotRunIsRedAndSaysSo(t *testing.T) {
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	g := Evaluate(c, Evidence{Unit: []UnitRun{{Passed: 1, Failed: 1, First: "go test -run '^T$' a"}}})
	for _, criterion := range g.Criteria {
		switch criterion.Name {
		case "unit tests":
			if criterion.Pass || !strings.HasSuffix(criterion.Got, "1 failed; go test -run '^T$' a") {
				t.Errorf("%+v", criterion)
			}
		case "integration runs", "race detector", "residue":
			if criterion.Pass || criterion.Got != "not run" {
				t.Errorf("%+v", criterion)
			}
		}
	}
}

func TestScanFindsForbiddenCallsAndNotTheirNamesInText(t *testing.T) {
	dir := t.TempDir()
	code := "package x\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {\n\t// FIt t.Skip\n\t_ = \"t.Skip()\"\n\tt." + "Skip()\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "x_test.go"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := Scan(dir)
	if err != nil || len(found) != 1 || !strings.HasSuffix(found[0], "x_test.go:8 Skip") {
		t.Errorf("%v, %v", found, err)
	}
}

func TestPlannedRunsDiffer(t *testing.T) {
	seeds := map[int64]bool{}
	procs := map[int]bool{}
	for _, r := range Plan(42, 3, 2) {
		seeds[r.Seed], procs[r.Procs] = true, true
	}
	if len(seeds) != 3 || len(procs) != 3 {
		t.Errorf("%d seeds, %d degrees of parallelism; want 3 of each", len(seeds), len(procs))
	}
}

func TestTheFindingOnOrderStandsBesideTheOthers(t *testing.T) {
	e := sound()
	e.Report.Runs[2].Scenarios[0].Status = report.Failed
	MarkOrder(&e.Report)
	for i, run := range e.Report.Runs {
		if got := run.Scenarios[0].Promises; got["P8"] != "fail" || got["P1"] != "pass" {
			t.Errorf("run %d: %v", i+1, got)
		}
	}
	alone := sound()
	alone.Report.Runs = alone.Report.Runs[:1]
	MarkOrder(&alone.Report)
	if got := alone.Report.Runs[0].Scenarios[0].Promises["P8"]; got != "not-judged" {
		t.Errorf("of one run alone it is %q", got)
	}
}

func TestSeededBugs(t *testing.T) {
	for name, c := range map[string]struct {
		asked string
		m     Mutants
		pass  bool
	}{
		"none is known to survive":         {MutantsKnown, Mutants{Killed: 2, Untried: 3}, true},
		"one is known to survive":          {MutantsKnown, Mutants{Killed: 2, Survivors: []string{"a"}}, false},
		"there is none at all":             {MutantsKnown, Mutants{}, false},
		"all are killed":                   {MutantsAll, Mutants{Killed: 2}, true},
		"all are asked for, one not tried": {MutantsAll, Mutants{Killed: 2, Untried: 1}, false},
		"nothing is asked":                 {"", Mutants{Survivors: []string{"a"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			criteria, e := defaultsOf(t), sound()
			criteria.Mutants, e.Mutants = c.asked, c.m
			if g := Evaluate(criteria, e); (g.Verdict == "pass") != c.pass {
				t.Errorf("%+v", g)
			}
		})
	}
}

// TestThisProjectsCriteria are no weaker than the built-in ones.
func TestThisProjectsCriteria(t *testing.T) {
	c, err := Load(filepath.Join("..", "..", "ci", "gate.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := defaultsOf(t)
	want.Mutants = MutantsKnown
	if !reflect.DeepEqual(c, want) {
		t.Errorf("ci/gate.yaml  %+v\nthe built-in ones %+v", c, want)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("mutants: some\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(bad); err == nil {
		t.Error("mutants: some was taken")
	}
}

func TestBurnIn(t *testing.T) {
	for name, c := range map[string]struct {
		b    *BurnIn
		pass bool
	}{
		"all new ones are green": {&BurnIn{Scenarios: 1, Executions: 10}, true},
		"one is red":             {&BurnIn{Scenarios: 1, Executions: 2, First: "STO-01: stormproof run"}, false},
		"it was not come to":     {nil, false},
		"it says why it is off":  {&BurnIn{Off: "no run is on record"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			e := sound()
			e.BurnIn = c.b
			if g := Evaluate(defaultsOf(t), e); (g.Verdict == "pass") != c.pass {
				t.Errorf("%+v", g)
			}
		})
	}
}
