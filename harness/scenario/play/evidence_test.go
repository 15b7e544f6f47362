package play

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

func TestASetUpThatFailsLeavesEvidenceAndAPage(t *testing.T) {
	dir := t.TempDir()
	host := &Host{Dir: dir, RunID: "r", Seed: 7, Root: dir,
		Environment: environment.Description{Kubeconfig: filepath.Join(dir, "nowhere")},
		Settings:    func(map[string]any) (history.Begin, error) { return history.Begin{}, nil }}
	s := &scenario.Scenario{ID: "STO-90", Title: "never begun", File: filepath.Join(dir, "sto-90.yaml"), Steps: []scenario.Step{{}}}
	out := Run(t.Context(), host, s)
	if out.Status != report.EnvError || out.Why == nil || !strings.Contains(out.FirstCause, "setting up the scenario") {
		t.Errorf("%s, %+v", out.Status, out.Why)
	}
	if want := "bin/stormproof run --seed 7 sto-90.yaml"; out.Replay != want {
		t.Errorf("replay %q, want %q", out.Replay, want)
	}
	for _, name := range []string{"history.jsonl", "requests.jsonl", "faults.json"} {
		if _, err := os.Stat(filepath.Join(dir, "STO-90", "round-1", name)); err != nil {
			t.Error(err)
		}
	}
}

func TestAPanicOfTheHarnessIsAnErrorOfItsStep(t *testing.T) {
	w := &world{} // without a history, an advance panics
	by := scenario.Duration(1)
	err := w.do(t.Context(), &scenario.Step{Advance: &by})
	if err == nil || IsFailure(err) || !strings.Contains(err.Error(), "panicked") || !strings.Contains(err.Error(), "evidence_test.go") {
		t.Errorf("%v", err)
	}
}

func TestTheAuditOfAScenarioIsThatOfItsNamespaces(t *testing.T) {
	log := filepath.Join(t.TempDir(), "audit.log")
	const before, ours, other = `{"ns":"sp-a-1","old":true}`, `{"objectRef":{"namespace":"sp-a-1"}}`, `{"objectRef":{"namespace":"sp-a-11"}}`
	if err := os.WriteFile(log, []byte(before+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{auditLog: log, namespaces: []string{"sp-a-1"}, auditFrom: sizeOf(log)}
	if err := os.WriteFile(log, []byte(before+"\n"+ours+"\n"+other+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := w.auditFile(t.Context())
	if err != nil || string(b) != ours+"\n" {
		t.Errorf("%q, %v", b, err)
	}
	w.auditLog = ""
	if b, err := w.auditFile(t.Context()); err != nil || !strings.Contains(string(b), "no audit log") {
		t.Errorf("%q, %v", b, err)
	}
}

func TestTheRecordOfRequestsIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "requests.jsonl")
	l, err := newRequestLog(path)
	if err != nil {
		t.Fatal(err)
	}
	for range mostRequests + 10 {
		l.add(fault.RequestInfo{Verb: "create", Resource: "remediationrequests", Code: 201})
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if lines := strings.Count(string(b), "\n"); err != nil || lines != mostRequests {
		t.Errorf("%d lines, %v", lines, err)
	}
}

func TestTheFirstCauseIsShownAndTheRestIsCounted(t *testing.T) {
	w := &world{host: &Host{Seed: 7}, scenario: &scenario.Scenario{ID: "STO-90", File: "nowhere.yaml", Steps: make([]scenario.Step, 3)}, round: 1}
	out := &report.Scenario{Status: report.Passed}
	inner := &stepError{"concurrently", 1, "send b", &failure{text: "answers", diff: "-1\n+2", because: "so"}}
	w.blame(out, &stepError{"steps", 2, "concurrently 2 steps", inner}, "", report.HarnessError)
	w.blame(out, failf("left over"), "cleaning up after STO-90", report.HarnessError)
	why := out.Why
	if out.Status != report.Failed || why.Step != "3.2" || why.StepName != "send b" || why.Check != "answers" || why.Diff == "" || why.Because != "so" {
		t.Errorf("%s %+v", out.Status, why)
	}
	if len(why.Also) != 1 || why.Also[0] != "cleaning up after STO-90: left over" {
		t.Errorf("%q", why.Also)
	}
}
