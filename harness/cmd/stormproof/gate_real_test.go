//go:build servers

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

// smallGate asks for one run of the catalogue and for nothing that takes a source tree.
const smallGate = "unit_runs: 0\nlint_issues: -1\nintegration_runs: 1\npass_rate: 100\nfaults_applied: true\n" +
	"promises_judged: [P1]\ncatalogue_complete: true\n"

// TestTheGateOfTheProgramBringsUpWhatScenariosNeed once found a gate that had started no
// Redis, because it made its session in another way than run.
func TestTheGateOfTheProgramBringsUpWhatScenariosNeed(t *testing.T) {
	for name, c := range map[string]struct {
		rest string
		want int
		says []string
	}{
		"a catalogue of one, which needs Redis": {"steps:\n" + sendOne + "  - expect: {that: keys.size() > 0, because: Redis holds the windows}\n",
			exitPass, []string{"environment: redis", "1 passed, 0 failed", "verdict: PASS"}},
		"a red one": {"steps:\n" + strings.Replace(sendOne, "201", "202", 1),
			exitFail, []string{"failed ERR-99", "FAIL integration runs", "verdict: FAIL"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			catalogue := filepath.Join(dir, "scenarios")
			if err := os.Mkdir(catalogue, 0o700); err != nil {
				t.Fatal(err)
			}
			scene(t, catalogue, "ERR-99", c.rest)
			if err := os.WriteFile(filepath.Join(dir, "small.yaml"), []byte(smallGate), 0o600); err != nil {
				t.Fatal(err)
			}
			run := start(t, dir, "gate", "--criteria", "small.yaml")
			got := run.code(t)
			if got != c.want {
				t.Errorf("exit %d, want %d\n%s", got, c.want, run.out.String())
			}
			for _, says := range c.says {
				if !strings.Contains(run.out.String(), says) {
					t.Errorf("no %q in\n%s", says, run.out.String())
				}
			}
		})
	}
}

// TestTheGateOfTheProgramGoesOnAfterAnInterrupt stops one in its second run: the next one makes
// that run alone, and keeps the first.
func TestTheGateOfTheProgramGoesOnAfterAnInterrupt(t *testing.T) {
	dir := t.TempDir()
	catalogue := filepath.Join(dir, "scenarios")
	if err := os.Mkdir(catalogue, 0o700); err != nil {
		t.Fatal(err)
	}
	scene(t, catalogue, "ERR-99", "steps:\n"+sendOne)
	criteria := strings.Replace(smallGate, "integration_runs: 1", "integration_runs: 2", 1)
	if err := os.WriteFile(filepath.Join(dir, "small.yaml"), []byte(criteria), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "-C", dir, "init", "--quiet").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	first := start(t, dir, "gate", "--criteria", "small.yaml")
	until(t, "the second run", func(context.Context) wait.Look {
		found, err := filepath.Glob(filepath.Join(dir, "reports", "*", "runs", "2"))
		return wait.Look{Done: len(found) > 0, Err: err}
	})
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := first.code(t); got != exitInterrupted || !strings.Contains(first.out.String(), "the same command goes on from here") {
		t.Fatalf("exit %d, want %d\n%s", got, exitInterrupted, first.out.String())
	}
	second := start(t, dir, "gate", "--criteria", "small.yaml")
	if got := second.code(t); got != exitPass {
		t.Errorf("exit %d, want %d\n%s", got, exitPass, second.out.String())
	}
	for _, says := range []string{"1 of 2 integration runs are done", "gate: integration run 2 of 2", "2 of 2 green, 2 seeds", "2 passed, 0 failed", "2 runs of this tree, 0 red"} {
		if !strings.Contains(second.out.String(), says) {
			t.Errorf("no %q in\n%s", says, second.out.String())
		}
	}
	if strings.Contains(second.out.String(), "integration run 1") {
		t.Errorf("the first run was made again\n%s", second.out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, gateState)); err == nil {
		t.Error("a gate that is done is remembered")
	}
}

// TestTheGateOfTheProgramBurnsInWhatIsNew adds a fifth scenario to four that are on record.
func TestTheGateOfTheProgramBurnsInWhatIsNew(t *testing.T) {
	dir := t.TempDir()
	catalogue := filepath.Join(dir, "scenarios")
	if err := os.Mkdir(catalogue, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "small.yaml"), []byte(smallGate+"burn_in: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"ERR-91", "ERR-92", "ERR-93", "ERR-94"} {
		scene(t, catalogue, id, "steps:\n"+sendOne)
	}
	for _, says := range []string{"off: no run is on record here", "1 new, 10 executions"} {
		run := start(t, dir, "gate", "--criteria", "small.yaml")
		if got := run.code(t); got != exitPass || !strings.Contains(run.out.String(), says) {
			t.Fatalf("exit %d, want %d and %q\n%s", got, exitPass, says, run.out.String())
		}
		scene(t, catalogue, "ERR-95", "steps:\n"+sendOne)
	}
	scene(t, catalogue, "ERR-96", "steps:\n"+strings.Replace(sendOne, "201", "202", 1))
	run := start(t, dir, "gate", "--criteria", "small.yaml")
	if got := run.code(t); got != exitFail || !strings.Contains(run.out.String(), "1 new, 1 execution; red: ERR-96: ") {
		t.Errorf("exit %d, want %d\n%s", got, exitFail, run.out.String())
	}
}
