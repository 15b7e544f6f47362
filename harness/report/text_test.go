package report_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/report"
)

func TestSignatureDropsWhatVariesAndKeepsWhatMeans(t *testing.T) {
	for name, tc := range map[string]struct{ cause, want string }{
		"numbers":                        {"alert 17 of 120 was lost", "alert <n> of <n> was lost"},
		"quoted names":                   {`storm "PodCrash/shop" has 'two' objects in ` + "`ns-1`", "storm <name> has <name> objects in <name>"},
		"an apostrophe is not a quote":   {"alert's owner isn't there", "alert's owner isn't there"},
		"uuids":                          {"uid 3F2504E0-4F89-11D3-9A0C-0305E82C3301 seen twice", "uid <uuid> seen twice"},
		"hashes":                         {"fingerprint 5ac1d00dbeef99 and 0xc000123abc", "fingerprint <hex> and <hex>"},
		"durations":                      {"waited 1m30s, then 250ms", "waited <duration>, then <duration>"},
		"addresses":                      {"dial 127.0.0.1:6379 refused", "dial <address> refused"},
		"times":                          {"at 2026-03-14T09:26:53.5Z it broke", "at <time> it broke"},
		"promise names stay":             {"P2 broken: 2 objects", "P2 broken: <n> objects"},
		"plain words of hex letters":     {"added a decade", "added a decade"},
		"only the first line counts":     {"first 1\nsecond 2", "first <n>"},
		"colour codes go":                {"\x1b[31mred\x1b[0m 3", "red <n>"},
		"nothing stays nothing":          {"  ", ""},
		"white space is made one":        {"a\t b   c", "a b c"},
		"a decimal number is one number": {"rate 0.25 of 1,000", "rate <n> of <n>"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := report.Signature(tc.cause); got != tc.want {
				t.Errorf("Signature(%q) = %q, want %q", tc.cause, got, tc.want)
			}
		})
	}
}

func TestPercentileTakesTheNearestRank(t *testing.T) {
	values := []float64{50, 15, 40, 20, 35}
	for _, tc := range []struct{ p, want float64 }{{0, 15}, {5, 15}, {30, 20}, {40, 20}, {50, 35}, {100, 50}} {
		if got := report.Percentile(values, tc.p); got != tc.want {
			t.Errorf("the %v th percentile is %v, want %v", tc.p, got, tc.want)
		}
	}
	if diff := cmp.Diff([]float64{50, 15, 40, 20, 35}, values); diff != "" {
		t.Errorf("the caller's values were reordered:\n%s", diff)
	}
	if got := report.Percentile(nil, 50); got != 0 {
		t.Errorf("of nothing it is %v, want 0", got)
	}
}

func TestDurationReadsAsPeopleSayIt(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0 ms", 0.85: "850 ms", 1: "1.0 s", 59.94: "59.9 s", 59.96: "1 min 00 s", 245: "4 min 05 s", 3599.7: "1 h 00 min", 3725: "1 h 02 min",
	} {
		if got := report.Duration(seconds); got != want {
			t.Errorf("Duration(%v) = %q, want %q", seconds, got, want)
		}
	}
}

func TestPercentNeverRoundsUpToAHundred(t *testing.T) {
	for _, tc := range []struct {
		part, whole int
		want        string
	}{{527, 528, "99.8 %"}, {528, 528, "100 %"}, {99999, 100000, "99.9 %"}, {0, 5, "0 %"}, {0, 0, "none ran"}} {
		if got := report.Percent(tc.part, tc.whole); got != tc.want {
			t.Errorf("Percent(%d, %d) = %q, want %q", tc.part, tc.whole, got, tc.want)
		}
	}
}

func TestHistogramPutsEachValueIntoOneRange(t *testing.T) {
	h := report.NewHistogram([]float64{0.2, 0.5, 0.6, 1, 7, 10, 99999})
	sum := 0
	for _, c := range h.Counts {
		sum += c
	}
	if sum != 7 || h.Total != 7 {
		t.Errorf("7 values became %d in the ranges, total %d", sum, h.Total)
	}
	if h.Counts[0] != 2 || h.Counts[1] != 2 || h.Counts[4] != 2 || h.Counts[len(h.Counts)-1] != 1 {
		t.Errorf("counts %v: an upper limit belongs to its own range", h.Counts)
	}
	if h.P50 != 1 || h.Max != 99999 {
		t.Errorf("median %v, max %v", h.P50, h.Max)
	}
}

func TestVerdictIsGreenOnlyWithEvidence(t *testing.T) {
	green, red := sampleReport(1, 1, false), sampleReport(2, 1, true)
	gateFails := sampleReport(1, 1, false)
	gateFails.Gate.Verdict = "fail"
	gateLies := sampleReport(6, 3, true)
	gateLies.Gate.Verdict = "pass"
	short := sampleReport(1, 1, false)
	short.Gate = nil
	short.Totals.Expected++
	broken := sampleReport(1, 1, false)
	broken.Runs[0].Error = "process 2 died"
	nothing := report.Report{}
	for name, tc := range map[string]struct {
		r    report.Report
		want report.Verdict
	}{
		"all green":                             {green, report.VerdictPass},
		"a scenario failed":                     {red, report.VerdictFail},
		"the gate misses a criterion":           {gateFails, report.VerdictFail},
		"a gate cannot make a red report green": {gateLies, report.VerdictFail},
		"fewer scenarios ran than expected":     {short, report.VerdictFail},
		"a run broke off":                       {broken, report.VerdictFail},
		"nothing ran":                           {nothing, report.VerdictNoResult},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.r.Verdict(); got != tc.want {
				t.Errorf("the verdict is %s, want %s (%s)", got, tc.want, tc.r.Headline())
			}
		})
	}
}

func TestFlakeSentenceSaysWhatIsStillNeeded(t *testing.T) {
	for name, tc := range map[string]struct {
		f    report.Flake
		want string
	}{
		"no run":          {report.Flake{}, "No run of this tree is on record, so nothing is known about how often it is red."},
		"three runs":      {report.Flake{Runs: 3, UpperBound95: 0.6315968, RunsFor5Pct: 56, RunsFor1Pct: 296}, "3 of 3 runs of this tree were green. That proves, with 95 % confidence, only that it is red in at most 63.2 % of runs. 56 more green runs would prove 5 %, 296 more 1 %."},
		"five per cent":   {report.Flake{Runs: 59, UpperBound95: 0.0495, RunsFor1Pct: 240}, "59 of 59 runs of this tree were green. That proves, with 95 % confidence, only that it is red in at most 5 % of runs. 240 more green runs would prove 1 %."},
		"nothing missing": {report.Flake{Runs: 299, UpperBound95: 0.00997}, "299 of 299 runs of this tree were green. That proves, with 95 % confidence, only that it is red in at most 1 % of runs."},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.f.Sentence()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFailuresAreGroupedByCauseOverScenariosAndRuns(t *testing.T) {
	r := sampleReport(6, 3, true)
	groups := r.Failures()
	if len(groups) != 5 || len(groups[0].Seen) != 3 || groups[0].Seen[0].Scenario.ID != "RED-02" {
		t.Fatalf("got %d groups, the first %+v; want RED-02's three repeats first of 5", len(groups), groups[0])
	}
	if groups[0].Seen[2].Run != 2 {
		t.Errorf("the third repeat is said to be of run %d, want index 2", groups[0].Seen[2].Run)
	}
}
