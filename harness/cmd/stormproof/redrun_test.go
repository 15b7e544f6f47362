package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/internal/docblock"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/scenario/play"
	"github.com/stormproof/stormproof/harness/suite"
)

// steady replaces what differs from run to run.
func steady(s string) string {
	s = regexp.MustCompile(`\d+ looks in \S+,`).ReplaceAllString(s, "26 looks in 505ms,")
	return s
}

// TestOnARealEnvironmentInTESTING runs what TESTING.md tells of: a scenario that fails, whose
// print must be the one that is shown there (UPDATE_GOLDEN=1 writes it), and what new writes.
func TestOnARealEnvironmentInTESTING(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	env, err := environment.Up(t.Context(), environment.Options{Dir: filepath.Join(dir, "environment"), Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := env.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	description := filepath.Join(dir, "environment.json")
	if err := env.Describe().Write(description); err != nil {
		t.Fatal(err)
	}
	plan := suite.Plan{RunID: "red", Seed: 7, Environment: description, Dir: filepath.Join(dir, "runs", "1"), Root: root}
	t.Run("a red run", func(t *testing.T) { redRun(t, plan, root, dir) })
	t.Run("what new writes passes", func(t *testing.T) {
		path, err := scenario.New(filepath.Join(dir, "scenarios"), "STO-98", scenario.NewTitle)
		if err != nil {
			t.Fatal(err)
		}
		if result := played(t, plan, path); result.Status != report.Passed {
			t.Error(result.Page(false))
		}
	})
}

// played is the outcome of one file.
func played(t *testing.T, plan suite.Plan, file string) report.Scenario {
	t.Helper()
	host, err := suite.NewHost(plan, wiring())
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return play.Run(t.Context(), host, s)
}

func redRun(t *testing.T, plan suite.Plan, root, dir string) {
	result := played(t, plan, filepath.Join(root, "harness/suite/testdata/sto-99-red.yaml"))
	suite.Explain(plan, &result)
	if result.Status != report.Failed {
		t.Fatalf("%s: %s", result.Status, result.Page(false))
	}
	for _, name := range []string{"why.md", "history.jsonl", "gateway-1.log", "requests.jsonl", "audit.jsonl", "events.yaml", "redis.txt", "metrics.prom", "goroutines.txt", "faults.json", "objects"} {
		if info, err := os.Stat(filepath.Join(dir, result.Why.Folder, name)); err != nil || info.Size() == 0 {
			t.Errorf("evidence %s: %v", name, err)
		}
	}
	shown := string(result.Status) + " " + result.ID + "  " + result.Title + "\n" + indent(result.Page(false)) + "\n"
	docblock.Compare(t, filepath.Join(root, "TESTING.md"), "red run", "```\n"+steady(shown)+"```\n")
}

func TestTheHarnessIsLimitedAsTheGatewayIs(t *testing.T) {
	c, err := gatewayConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	if play.ClientQPS != c.Kubernetes.QPS || play.ClientBurst != c.Kubernetes.Burst {
		t.Errorf("harness %v/%v, gateway %v/%v", play.ClientQPS, play.ClientBurst, c.Kubernetes.QPS, c.Kubernetes.Burst)
	}
}
