package flake

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/report"
)

func TestARunIsRecordedWithWhatItWasARunOf(t *testing.T) {
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	s := Subject{Tree: "tree", Commit: "abc", Code: "code", Sources: map[string]string{"STO-01": "s1", "STO-02": "s2"}}
	got := Record(s, report.Run{Seed: 7, Started: at, DurationS: 3, Scenarios: []report.Scenario{
		{ID: "STO-01", Status: report.Passed, DurationS: 1}, {ID: "STO-02", Status: report.EnvError, Signature: "no Redis"}}})
	want := Run{Tree: "tree", Commit: "abc", Code: "code", Seed: 7, When: at, DurationS: 3, Failed: []string{"STO-02"}, Scenarios: []Execution{
		{ID: "STO-01", Source: "s1", Status: report.Passed, DurationS: 1}, {ID: "STO-02", Source: "s2", Status: report.EnvError, Signature: "no Redis"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if Record(s, report.Run{}).Green || Record(s, report.Run{Error: "interrupted", Scenarios: []report.Scenario{{Status: report.Passed}}}).Green {
		t.Error("a run without scenarios, or one that did not finish, is green")
	}
}

func TestHistoriesAreKeptAndMerged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", File)
	if none, err := Load(path); err != nil || none != nil {
		t.Errorf("no file: %v, %v", none, err)
	}
	ours := lines("STO-01", "s", ".F.")
	if err := Append(path, ours[2], ours[0]); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := Merge(loaded, ours)
	if !reflect.DeepEqual(got, ours) {
		t.Errorf("got  %+v\nwant %+v", got, ours)
	}
	if runs, red := CountTree(got, "t"); runs != 3 || red != 1 {
		t.Errorf("%d runs, %d red; want 3 and 1", runs, red)
	}
	if runs, _ := CountTree(got, "another"); runs != 0 {
		t.Errorf("%d runs of another tree", runs)
	}
}

func TestADamagedLineSaysWhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	if err := os.WriteFile(path, []byte("{\"tree\":\"a\"}\n{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":2: ") {
		t.Errorf("got %v", err)
	}
}

func TestPastRunsArePointsOfATrend(t *testing.T) {
	history := lines("STO-01", "s", "F..")
	history[0] = Record(Subject{Commit: "a"}, report.Run{Started: history[0].When, Scenarios: []report.Scenario{{ID: "STO-01", Status: report.Failed}, {ID: "STO-02", Status: report.Passed}}})
	got := Past(history, history[2].When, 5)
	want := []report.Past{{Label: "a", When: history[0].When, Passed: 1, Scenarios: 2}, {Label: "a", When: history[1].When, Passed: 1, Scenarios: 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := Past(history, time.Now().AddDate(100, 0, 0), 1); len(got) != 1 || !got[0].When.Equal(history[2].When) {
		t.Errorf("the newest alone: %+v", got)
	}
}
