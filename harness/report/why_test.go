package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/report"
)

func redScenario() report.Scenario {
	return report.Scenario{ID: "STO-01", Title: "a title", Status: report.Failed, FirstCause: "step 2 (send again): answers of \"again\"",
		Replay: "bin/stormproof run --seed 7 a.yaml", Residue: []string{"redis-key: stray"},
		Steps:  []report.Step{{Name: "send first", DurationMS: 3}, {Name: "send again", StartMS: 3, DurationMS: 4, Failed: true}},
		Marks:  []report.Mark{{Kind: "request", Label: "again-1 503", AtMS: 4, DurationMS: 2}, {Kind: "request", Label: "first-1 201", AtMS: 1, OK: true}, {Kind: "fault", Label: "cut", AtMS: 3.5, OK: true}},
		Faults: []report.Fault{{ID: "cut", Target: "redis", Kind: "cut", Matched: 2, Applied: 1}},
		Why: &report.Why{Check: "answers of \"again\"", Because: "a repeat is acknowledged", Diff: "--- expected\n+++ seen\n-202: 1\n+503: 1",
			Notes: []string{"first refused answer: 503 {}"}, Step: "2", Steps: 3, StepName: "send again", Position: "a.yaml:12",
			Waited: &report.Wait{WithinMS: 500, ElapsedMS: 503, Attempts: 26, State: "x = 1\ny = 2"},
			Seed:   7, Round: 2, Rounds: 10, Also: []string{"P1: lost", "P7: residue"}, Folder: "failures/STO-01", Evidence: "reports/latest/failures/STO-01"}}
}

const redPage = `step     2 of 3: send again
at       a.yaml:12
check    answers of "again"
because  a repeat is acknowledged
seed     7, round 2 of 10
--- expected
+++ seen
-202: 1
+503: 1
first refused answer: 503 {}
waited   26 looks in 503ms, allowed were 500ms
         last state: x = 1
         y = 2
         last error: none
and 2 more findings, see why.md
replay   bin/stormproof run --seed 7 a.yaml
evidence reports/latest/failures/STO-01`

func TestThePageOfAFailureSaysTheFirstCauseAndWhatToType(t *testing.T) {
	s := redScenario()
	if diff := cmp.Diff(redPage, s.Page(false)); diff != "" {
		t.Error(diff)
	}
	colour := s.Page(true)
	for _, want := range []string{"\x1b[32m-202: 1\x1b[0m", "\x1b[31m+503: 1\x1b[0m", "\x1b[1mreplay  \x1b[0m "} {
		if !strings.Contains(colour, want) {
			t.Errorf("no %q in %q", want, colour)
		}
	}
	s.Status = report.Passed
	if got := s.Page(false); got != "" {
		t.Errorf("a green scenario has the page %q", got)
	}
}

func TestColoursOfOthersNeverReachTheTerminal(t *testing.T) {
	s := redScenario()
	s.Why.Diff, s.Why.Notes = "+\x1b[2Jgone", []string{"\x1b[31mred\x1b[0m"}
	if got := s.Page(true); strings.Contains(got, "\x1b[2J") || strings.Contains(got, "\x1b[31mred") {
		t.Errorf("%q", got)
	}
}

func TestWhyTellsTheStoryInOrder(t *testing.T) {
	s := redScenario()
	s.Why.Notes = []string{"a fence ``` inside"}
	got := s.Markdown(2)
	at := -1
	for _, want := range []string{"# STO-01 a title: failed", "```diff\n--- expected", "a fence ''' inside", "## Run it again", "```sh\nbin/stormproof run --seed 7 a.yaml\n```",
		"## Timeline (run 2)", "ok   step 1: send first", "FAIL step 2: send again", "fault cut (0 ms)", "request again-1 503", "fault cut (redis cut): planned 0, matched 2, applied 1",
		"## What else was found", "- P1: lost", "- P7: residue", "## Left behind", "- redis-key: stray"} {
		i := strings.Index(got, want)
		if i < at {
			t.Fatalf("%q is missing or comes too early in\n%s", want, got)
		}
		at = i
	}
	if strings.Contains(got, "first-1 201") {
		t.Error("requests that were acknowledged are not part of the story")
	}
}

func TestThePageIsWhatJUnitHolds(t *testing.T) {
	r := report.Report{Runs: []report.Run{{Scenarios: []report.Scenario{redScenario()}}}}
	r.Count(1)
	body := readJUnit(t, r).Suites[0].Cases[0].Failure.Body
	if !strings.HasPrefix(body, redPage+"\n") || !strings.Contains(body, "left behind: redis-key: stray") {
		t.Error(body)
	}
}
