//go:build servers

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
