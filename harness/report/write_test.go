package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/report"
)

func TestWriteMakesAllFilesAndLoadReadsThemBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports", "run")
	want := sampleReport(6, 3, true)
	if err := report.Write(dir, want); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"badge.svg", "index.html", "junit.xml", "metrics.txt", "report.json", "summary.md"}, names); diff != "" {
		t.Errorf("files in the folder, and no temporary ones (-want +got):\n%s", diff)
	}
	for _, path := range []string{dir, filepath.Join(dir, report.JSONFile)} {
		got, err := report.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameJSON); diff != "" {
			t.Errorf("Load(%s) differs from what was written (-want +got):\n%s", filepath.Base(path), diff)
		}
	}
}

func TestWriteReplacesAnOlderReport(t *testing.T) {
	dir := t.TempDir()
	for _, red := range []bool{true, false} {
		if err := report.Write(dir, sampleReport(1, 1, red)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := report.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict() != report.VerdictPass {
		t.Errorf("the folder still holds the older, red report")
	}
}

func TestWriteSaysSoWhenTheFolderCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := report.Write(filepath.Join(file, "below"), sampleReport(1, 1, false)); err == nil {
		t.Error("Write below a file did not fail")
	}
}

func TestLoadRefusesWhatItCannotUnderstand(t *testing.T) {
	for name, tc := range map[string]struct{ content, want string }{
		"a later schema names both versions": {`{"schema":"stormproof.report/v9"}`, `"stormproof.report/v9"`},
		"no schema at all is not a report":   {`{}`, "its schema is"},
		"a cut file says it is damaged":      {`{"schema":"stormp`, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, report.JSONFile), []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := report.Load(dir); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Load says %v, want it to mention %s", err, tc.want)
			}
		})
	}
	if _, err := report.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of nothing says %v, want it to be fs.ErrNotExist", err)
	}
}

func TestAReportOfTheFirstVersionStillLoads(t *testing.T) {
	r, err := report.Load(filepath.Join("testdata", "report-v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Totals.Passed != 1 || r.Runs[0].Scenarios[0].Promises["P1"] != "pass" || r.Runs[0].Seed != 42 {
		t.Errorf("the old report was read as %+v", r)
	}
}

func TestLatestIsARelativeLinkThatFollowsTheNewestRun(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"one", "two"} {
		run := filepath.Join(root, name)
		if err := report.Write(run, sampleReport(1, 1, false)); err != nil {
			t.Fatal(err)
		}
		if err := report.Latest(root, run); err != nil {
			t.Fatal(err)
		}
		if target, err := os.Readlink(filepath.Join(root, report.LatestLink)); err != nil || target != name {
			t.Errorf("the link points to %q (%v), want %q", target, err, name)
		}
	}
	if _, err := report.Load(filepath.Join(root, report.LatestLink)); err != nil {
		t.Errorf("the report is not there through the link: %v", err)
	}
}

func TestLatestLeavesAFolderOfThatNameAlone(t *testing.T) {
	root := t.TempDir()
	precious := filepath.Join(root, report.LatestLink, "kept")
	if err := os.MkdirAll(precious, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := report.Latest(root, filepath.Join(root, "one")); err == nil || !strings.Contains(err.Error(), "not a link") {
		t.Errorf("Latest over a folder says %v, want a refusal", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("what was in the folder is gone: %v", err)
	}
}

func TestMergeAddsRunsAndKeepsWhatSpeaksAgainst(t *testing.T) {
	a, b := sampleReport(2, 1, false), sampleReport(2, 1, true)
	b.Environment.Race = false
	b.Environment.Dirty = true
	a.Environment.StartRetries, b.Environment.StartRetries = 1, 2
	got := report.Merge(a, b)
	if len(got.Runs) != 2 || got.Totals.Expected != 20 || got.Totals.Scenarios != 20 || got.Totals.Passed != a.Totals.Passed+b.Totals.Passed {
		t.Errorf("merged totals are %+v over %d runs", got.Totals, len(got.Runs))
	}
	if e := got.Environment; e.Race || !e.Dirty || e.StartRetries != 3 {
		t.Errorf("merged environment hides what speaks against it: %+v", e)
	}
	if got.Gate != nil || got.Flake != nil {
		t.Error("a verdict over one part was taken for one over all")
	}
}

func TestTheJSONKeepsTheFieldsThatOthersRead(t *testing.T) {
	data, err := json.Marshal(sampleReport(1, 1, false))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"schema"`, `"first_cause"`, `"duration_s"`, `"planned"`, `"expected"`, `"criteria"`, `"upper_bound_95"`, `"runs_for_5pct"`, `"power"`} {
		if !strings.Contains(string(data), key) {
			t.Errorf("report.json lacks %s", key)
		}
	}
}

// sameJSON compares what is JSON inside of a report, whatever its blanks.
var sameJSON = cmp.Transformer("compact", func(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
})
