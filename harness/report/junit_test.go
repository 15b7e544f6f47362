package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/report"
)

type suites struct {
	Tests    int     `xml:"tests,attr"`
	Failures int     `xml:"failures,attr"`
	Errors   int     `xml:"errors,attr"`
	Suites   []suite `xml:"testsuite"`
}

type suite struct {
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Cases    []testcase `xml:"testcase"`
}

type testcase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	File    string   `xml:"file,attr"`
	Out     string   `xml:"system-out"`
	Failure *problem `xml:"failure"`
	Error   *problem `xml:"error"`
}

type problem struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Body    string `xml:",chardata"`
}

// readJUnit walks every token strictly before it decodes, so that any damage is seen.
func readJUnit(t *testing.T, r report.Report) suites {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteJUnit(&b, r); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("junit.xml is not XML: %v", err)
		}
	}
	var out suites
	if err := xml.Unmarshal(b.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestJUnitTotalsAddUp(t *testing.T) {
	for name, red := range map[string]bool{"a green report": false, "a red report": true} {
		t.Run(name, func(t *testing.T) {
			r := sampleReport(6, 3, red)
			got := readJUnit(t, r)
			if len(got.Suites) != 15 {
				t.Errorf("%d suites, want one for each of 3 runs x 5 categories", len(got.Suites))
			}
			var sum suites
			for _, s := range got.Suites {
				bad, wrong := 0, 0
				for _, c := range s.Cases {
					if c.Failure != nil {
						bad++
					}
					if c.Error != nil {
						wrong++
					}
				}
				if s.Tests != len(s.Cases) || s.Failures != bad || s.Errors != wrong {
					t.Errorf("suite %q says %d/%d/%d, holds %d/%d/%d", s.Name, s.Tests, s.Failures, s.Errors, len(s.Cases), bad, wrong)
				}
				sum.Tests += s.Tests
				sum.Failures += s.Failures
				sum.Errors += s.Errors
			}
			if sum.Tests != got.Tests || sum.Failures != got.Failures || sum.Errors != got.Errors {
				t.Errorf("the suites add up to %+v, the root says %+v", sum, got)
			}
			if got.Tests != r.Totals.Scenarios || got.Failures+got.Errors != r.Totals.Failed {
				t.Errorf("junit says %d tests, %d red; the report %+v", got.Tests, got.Failures+got.Errors, r.Totals)
			}
		})
	}
}

func TestJUnitTellsFailuresOfTheProductFromErrorsAroundIt(t *testing.T) {
	for name, tc := range map[string]struct {
		status   report.Status
		promises map[string]string
		residue  []string
		failure  string
		err      string
	}{
		"a broken promise is named":          {report.Failed, map[string]string{"P1": "pass", "P3": "fail", "P5": "fail"}, nil, "promise:P3", ""},
		"residue without a promise":          {report.Failed, nil, []string{"redis-key x"}, "residue", ""},
		"an expectation of the scenario":     {report.Failed, nil, nil, "expectation", ""},
		"inconclusive is a failure":          {report.Inconclusive, nil, nil, "inconclusive", ""},
		"what did not run is a failure":      {report.Skipped, nil, nil, "skipped", ""},
		"the environment is not the product": {report.EnvError, nil, nil, "", "environment"},
		"the harness is not the product":     {report.HarnessError, nil, nil, "", "harness"},
		"passed is neither":                  {report.Passed, nil, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := report.Report{Runs: []report.Run{{Scenarios: []report.Scenario{{
				ID: "X-1", Title: "title", Category: "c", Status: tc.status, Promises: tc.promises, Residue: tc.residue, FirstCause: "why\nmore",
			}}}}}
			r.Count(1)
			c := readJUnit(t, r).Suites[0].Cases[0]
			gotFailure, gotError := "", ""
			if c.Failure != nil {
				gotFailure = c.Failure.Type
			}
			if c.Error != nil {
				gotError = c.Error.Type
			}
			if gotFailure != tc.failure || gotError != tc.err {
				t.Errorf("failure %q, error %q; want %q, %q", gotFailure, gotError, tc.failure, tc.err)
			}
		})
	}
}

func TestJUnitSurvivesTextThatXMLForbids(t *testing.T) {
	r := report.Report{Title: "t\x00", Runs: []report.Run{{Error: "died\x07", Scenarios: []report.Scenario{{
		ID: "X-1", Title: "tab\there <b> & \x01", Category: "c\x02", File: "f\xff", Status: report.Failed,
		FirstCause: "\x1b[31m<bad> ]]> \x03\x1b[0m", Detail: "line\x0b one\nline \ufffe two ]]>", Replay: "run \x1b[1mit\x1b[0m",
		Steps: []report.Step{{Name: "step\x08", Failed: true}},
	}}}}}
	r.Count(1)
	got := readJUnit(t, r)
	c := got.Suites[0].Cases[0]
	if diff := cmp.Diff("<bad> ]]>", c.Failure.Message); diff != "" {
		t.Errorf("the message (-want +got):\n%s", diff)
	}
	if !strings.Contains(c.Failure.Body, "line one\nline  two ]]>\n") || !strings.Contains(c.Failure.Body, "replay   run it") {
		t.Errorf("the body is %q", c.Failure.Body)
	}
	if !strings.Contains(c.Out, "FAIL") || c.Name != "X-1 tab here <b> &" {
		t.Errorf("name %q, timeline %q", c.Name, c.Out)
	}
}

func TestJUnitShowsThatScenariosWereLost(t *testing.T) {
	for name, change := range map[string]func(*report.Report){
		"because a run broke off":           func(r *report.Report) { r.Runs[0].Error = "process 2 died" },
		"because a run broke off and short": func(r *report.Report) { r.Runs[0].Error, r.Runs[0].Scenarios = "died", nil },
		"though no run says so":             func(r *report.Report) { r.Runs[0].Scenarios = r.Runs[0].Scenarios[1:] },
		"because a whole run is missing":    func(r *report.Report) { r.Runs = r.Runs[:1] },
		"because nothing ran at all":        func(r *report.Report) { r.Runs = nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := sampleReport(1, 2, false)
			change(&r)
			r.Count(5)
			r.Totals.Expected = 10
			got := readJUnit(t, r)
			if got.Errors != 1 || got.Failures != 0 {
				t.Errorf("%d errors and %d failures, want 1 error for what was lost", got.Errors, got.Failures)
			}
			if got.Tests != r.Totals.Scenarios+1 {
				t.Errorf("%d tests, want the %d that ran and one for what was lost", got.Tests, r.Totals.Scenarios)
			}
		})
	}
}
