package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/harness/report"
)

func summary(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteSummary(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func html(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSummaryBeginsWithVerdictAndBound(t *testing.T) {
	noGate := sampleReport(1, 1, false)
	noGate.Gate, noGate.Flake = nil, nil
	for name, tc := range map[string]struct {
		r    report.Report
		want string
	}{
		"green":          {sampleReport(6, 3, false), "**PASS** · 90/90 · flake rate ≤ 63.2 % (95 %, 3 of 3 runs green)"},
		"red":            {sampleReport(6, 3, true), "**FAIL** · 83/90 · flake rate ≤ 100 % (95 %, 0 of 3 runs green)"},
		"without a gate": {noGate, "**PASS** · 5/5 · flake rate not bounded (run `make gate`)"},
		"nothing ran":    {report.Report{}, "**NO RESULT** · 0/0 · flake rate not bounded (run `make gate`)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _, _ := strings.Cut(summary(t, tc.r), "\n"); got != tc.want {
				t.Errorf("the first line is\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestSummaryTellsRatesFailuresAndReplays(t *testing.T) {
	got := summary(t, sampleReport(6, 3, true))
	for _, want := range []string{
		"| category | run 1 (seed 7331000000000001, procs 4) |",
		"| storm | 6/6 100 % | 5/6 83.3 % | 6/6 100 % |",
		"## 7 executions not green, 5 causes",
		"### alert 17 of 120 was acknowledged and is visible nowhere (failed, 3×)",
		"- **RED-02** a failover in the middle of a batch loses nothing, run 2\n  `go run ./harness/cmd/stormproof run scenarios/redis-resilience/RED-02.yaml --seed 7331000000000098`",
		"| residue | 0 | 1: SEC-03 run 3, redis-key sp:sec03:win:5ac1 (no TTL) | **✗ missed** |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the summary lacks\n%s\nin\n%s", want, got)
		}
	}
}

func TestSummaryStopsAfterTenFailures(t *testing.T) {
	r := sampleReport(6, 3, false)
	for i := range r.Runs[0].Scenarios {
		s := &r.Runs[0].Scenarios[i]
		s.Status, s.FirstCause = report.Failed, fmt.Sprintf("cause of | %s <b>", strings.Repeat("x", i+1))
	}
	r.Count(30)
	got := summary(t, r)
	if n := strings.Count(got, "--seed"); n != 10 {
		t.Errorf("%d failures are listed, want 10", n)
	}
	if !strings.Contains(got, "… and 20 more") {
		t.Error("nothing says that 20 more failed")
	}
	if strings.Contains(got, "<b>") {
		t.Error("text of a failure is markup in the summary")
	}
}

func TestPageNeedsNothingOutsideItself(t *testing.T) {
	got := html(t, sampleReport(6, 3, true))
	for _, pattern := range []string{`<script[^>]+src=`, `<link[^>]+href=`, `@import`, `url\(["']?https?:`, `<img[^>]+src=["']?https?:`} {
		if loc := regexp.MustCompile(pattern).FindStringIndex(got); loc != nil {
			t.Errorf("the page reaches outside itself: %s", got[loc[0]:min(len(got), loc[1]+60)])
		}
	}
	if !strings.Contains(got, `http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;`) {
		t.Error("the page has no policy that forbids the rest")
	}
	if n := strings.Count(got, "</script>"); n != 2 {
		t.Errorf("%d script elements end in the page, want 2: data broke out", n)
	}
}

func TestPageShowsVerdictCriteriaAndFailuresWithoutAScript(t *testing.T) {
	got := html(t, sampleReport(6, 3, true))
	for _, want := range []string{"<title>FAIL: ", "criteria missed: integration runs, pass rate, residue, faults applied", "35 of 36: KUB-05 run 1", "no Docker or Podman daemon answers", "fault f1 matched 0 requests"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if empty := html(t, report.Report{Title: "nothing"}); !strings.Contains(empty, "NO RESULT") || strings.Contains(empty, "PASS<") {
		t.Error("a page of nothing does not say NO RESULT")
	}
}

func TestPageStaysBelowAMegabyte(t *testing.T) {
	for name, red := range map[string]bool{"green": false, "red": true} {
		t.Run(name, func(t *testing.T) {
			r := sampleReport(36, 20, red) // 180 scenarios, 20 runs
			if size := len(html(t, r)); size > 1<<20 {
				t.Errorf("%d bytes for 180 scenarios x 20 runs", size)
			}
		})
	}
	t.Run("when everything fails with much to say", func(t *testing.T) {
		r := sampleReport(36, 20, false)
		for i := range r.Runs {
			for j := range r.Runs[i].Scenarios {
				s := &r.Runs[i].Scenarios[j]
				s.Status, s.FirstCause, s.Detail = report.Failed, "the same cause", strings.Repeat("the same detail ", 1000)
			}
		}
		r.Count(180)
		if size := len(html(t, r)); size > 1<<20 {
			t.Errorf("%d bytes when all 3600 executions fail", size)
		}
	})
}

var dataElement = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)

func TestPageDataHasBaselineTrendAndEveryExecution(t *testing.T) {
	got := dataElement.FindStringSubmatch(html(t, sampleReport(6, 3, true)))
	if got == nil {
		t.Fatal("the page holds no data")
	}
	var data struct {
		Trend     []struct{ Passed, Total int }
		Scenarios []struct {
			ID      string
			Results []*struct{ S string }
		}
		Runs []struct{ Seed string }
	}
	if err := json.Unmarshal([]byte(got[1]), &data); err != nil {
		t.Fatalf("the data is not JSON: %v", err)
	}
	if first, last := data.Trend[0], data.Trend[len(data.Trend)-1]; first.Passed != 52 || first.Total != 92 || last.Passed != 83 || last.Total != 90 {
		t.Errorf("the way goes from %+v to %+v, want from 52/92 to 83/90", first, last)
	}
	executions := 0
	for _, s := range data.Scenarios {
		for _, r := range s.Results {
			if r != nil {
				executions++
			}
		}
	}
	if len(data.Scenarios) != 30 || executions != 90 {
		t.Errorf("%d scenarios with %d executions, want 30 with 90", len(data.Scenarios), executions)
	}
	if data.Runs[1].Seed != "7331000000000098" {
		t.Errorf("the seed of run 2 is %q: digits were lost", data.Runs[1].Seed)
	}
}
