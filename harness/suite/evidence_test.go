package suite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/report"
)

// files writes files below a new folder.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEvidenceOfARedScenarioLiesInItsFolder(t *testing.T) {
	from := files(t, map[string]string{"history.jsonl": "{}", "gateway-1.log": "log", "objects/rr-1.yaml": "a: 1",
		"redis/dump.rdb": "data of a server", "redis/redis.log": "log of a server"})
	reportDir := t.TempDir()
	red := func() *report.Scenario {
		return &report.Scenario{ID: "STO-01", Status: report.Failed, FirstCause: "step 1: no", Replay: "bin/stormproof run x.yaml", Why: &report.Why{Check: "no"}}
	}
	first, second := red(), red()
	for i, s := range []*report.Scenario{first, second} {
		if err := keep(reportDir, "out", from, i+1, s); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"failures/STO-01/why.md", "failures/STO-01/gateway-1.log", "failures/STO-01/history.jsonl", "failures/STO-01/objects/", "failures/STO-01/redis-redis.log"}
	if d := cmp.Diff(want, first.Artefacts); d != "" {
		t.Errorf("the first red run (-want +got):\n%s", d)
	}
	if second.Why.Folder != "failures/STO-01/run-2" || !strings.Contains(second.Detail, "evidence out/latest/failures/STO-01/run-2") {
		t.Errorf("the second red run: %q\n%s", second.Why.Folder, second.Detail)
	}
	why, err := os.ReadFile(filepath.Join(reportDir, "failures/STO-01/why.md"))
	if err != nil || !strings.Contains(string(why), "bin/stormproof run x.yaml") {
		t.Errorf("%v\n%s", err, why)
	}
}

func TestAScenarioThatLeftNothingHasAPageAllTheSame(t *testing.T) {
	s := &report.Scenario{ID: "STO-01", Status: report.HarnessError, FirstCause: "the process died", Detail: "the process died\nof a panic"}
	if err := keep(t.TempDir(), "", "", 1, s); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Detail, "check    the process died\n") || !strings.Contains(s.Detail, "\nof a panic\n") {
		t.Error(s.Detail)
	}
}

func TestALongLogKeepsItsBeginningAndItsEnd(t *testing.T) {
	from := files(t, map[string]string{"gateway-1.log": "begin" + strings.Repeat("x", 3*mostEvidence) + "end"})
	to := filepath.Join(t.TempDir(), "copy")
	if err := copyBounded(filepath.Join(from, "gateway-1.log"), to); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(to)
	if err != nil || len(b) > mostEvidence+500 || !strings.HasPrefix(string(b), "begin") || !strings.HasSuffix(string(b), "end") || !strings.Contains(string(b), "bytes left out") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestTheLastRoundIsTheOneToLookAt(t *testing.T) {
	dir := files(t, map[string]string{"round-2/a": "", "round-10/a": "", "round-9/a": ""})
	if got := filepath.Base(lastRound(dir)); got != "round-10" {
		t.Error(got)
	}
	if got := lastRound(t.TempDir()); got != "" {
		t.Error(got)
	}
}
