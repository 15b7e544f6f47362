package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/flake"
	"github.com/stormproof/stormproof/harness/report"
)

// keptRuns makes green runs of one scenario at commit a, and then one that is red at b.
func keptRuns(green int) []flake.Run {
	var out []flake.Run
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for i := range green + 1 {
		r := report.Run{Seed: int64(i), Started: at.Add(time.Duration(i) * time.Minute), Scenarios: []report.Scenario{{ID: "STO-90", Status: report.Passed, DurationS: 2}}}
		s := flake.Subject{Tree: "t", Commit: "aaa", Code: "c", Sources: map[string]string{"STO-90": "s"}}
		if i == green {
			s.Commit, r.Scenarios[0].Status = "bbb", report.Failed
		}
		out = append(out, flake.Record(s, r))
	}
	return out
}

func TestTrendMergesTheRunsOfCI(t *testing.T) {
	inFolder(t, soundScenario)
	runs := keptRuns(9)
	if err := flake.Append(keptHistory, runs[:4]...); err != nil {
		t.Fatal(err)
	}
	if err := flake.Append(filepath.Join("artefact", flake.File), runs[2:]...); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := newTrend()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"artefact", "--keep"})
	if err := cmd.ExecuteContext(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"10 runs on record, 10 of this tree (bbb)", "STO-90    1 of 10  39.4 %", "failed 1", ".........F", "bbb, after 9 green (by chance: 0 %)"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("no %q in\n%s", says, out.String())
		}
	}
	if kept, err := flake.Load(keptHistory); err != nil || len(kept) != 10 {
		t.Errorf("%d runs are kept, want 10: %v", len(kept), err)
	}
}

func TestDiffIsRedWhereSomethingBecameRed(t *testing.T) {
	inFolder(t, soundScenario)
	for dir, status := range map[string]report.Status{"green": report.Passed, "red": report.Failed} {
		r := report.Report{Schema: report.Schema, Runs: []report.Run{{Scenarios: []report.Scenario{{ID: "STO-90", Status: status, FirstCause: "P1: lost"}}}}}
		r.Count(1)
		if err := report.Write(dir, r); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]int{"green red": exitFail, "red green": exitPass, "green green": exitPass} {
		if got := execute(context.Background(), append([]string{"report", "diff"}, strings.Fields(args)...)); got != want {
			t.Errorf("diff %s: exit %d, want %d", args, got, want)
		}
	}
}
