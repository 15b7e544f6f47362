package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	seconds    float64
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Time    string        `xml:"time,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Body    string `xml:",chardata"`
}

// WriteJUnit writes the report in the XML that CI servers read: one suite per run and
// category, one test case per scenario with a name that is the same in each run. What the
// product did wrong is a failure, what the surroundings did wrong is an error. A scenario
// that did not run is a failure, never "skipped", which viewers show as harmless. A run
// that broke off, or a catalogue that did not run whole, gets one case of its own, since
// the scenarios that were lost cannot speak.
func WriteJUnit(w io.Writer, r Report) error {
	root := junitSuites{Name: clean(r.Title)}
	seconds, broken := 0.0, false
	for i, run := range r.Runs {
		suites := junitRun(i, run)
		if run.Error != "" {
			broken = true
			suites = append(suites, unfinished(fmt.Sprintf("run %d: the run itself", i+1), run.Error, junitOfRun(i, run)))
		}
		root.Suites = append(root.Suites, suites...)
	}
	if lost := r.Totals.Expected - r.Totals.Scenarios; lost > 0 && !broken {
		why := fmt.Sprintf("%d of %s never ran", lost, count(r.Totals.Expected, "execution"))
		root.Suites = append(root.Suites, unfinished("the catalogue", why, junitSuite{}))
	}
	for _, s := range root.Suites {
		root.Tests += s.Tests
		root.Failures += s.Failures
		root.Errors += s.Errors
		seconds += s.seconds
	}
	root.Time = junitSeconds(seconds)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(root); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitRun(i int, run Run) []junitSuite {
	byCategory := map[string][]Scenario{}
	for _, s := range run.Scenarios {
		byCategory[s.Category] = append(byCategory[s.Category], s)
	}
	var suites []junitSuite
	for _, category := range slices.Sorted(maps.Keys(byCategory)) {
		suite := junitOfRun(i, run)
		suite.Name = fmt.Sprintf("run %d: %s", i+1, clean(category))
		scenarios := byCategory[category]
		slices.SortStableFunc(scenarios, func(a, b Scenario) int { return strings.Compare(a.ID, b.ID) })
		for j := range scenarios {
			suite.add(junitScenario(&scenarios[j]), scenarios[j].DurationS)
		}
		suites = append(suites, suite)
	}
	return suites
}

// junitOfRun is an empty suite with the properties of a run.
func junitOfRun(i int, run Run) junitSuite {
	s := junitSuite{
		Time: junitSeconds(0),
		Properties: []junitProperty{
			{"run", strconv.Itoa(i + 1)},
			{"seed", strconv.FormatInt(run.Seed, 10)},
			{"procs", strconv.Itoa(run.Procs)},
			{"order", clean(run.Order)},
		},
	}
	if !run.Started.IsZero() {
		s.Timestamp = run.Started.UTC().Format(time.RFC3339)
	}
	return s
}

func (s *junitSuite) add(c junitCase, seconds float64) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Error != nil {
		s.Errors++
	}
	s.seconds += seconds
	s.Time = junitSeconds(s.seconds)
}

// unfinished is the suite that speaks for scenarios that could not.
func unfinished(name, why string, s junitSuite) junitSuite {
	s.Name = name
	s.add(junitCase{
		Class: "run", Name: name + " finishes", Time: junitSeconds(0),
		Error: &junitProblem{Type: "harness", Message: oneLine(why), Body: clean(why)},
	}, 0)
	return s
}

func junitScenario(s *Scenario) junitCase {
	c := junitCase{
		Class: clean(s.Category),
		Name:  strings.TrimSpace(clean(s.ID) + " " + oneLine(s.Title)),
		File:  clean(s.File),
		Time:  junitSeconds(s.DurationS),
		Out:   timelineText(s),
	}
	if s.Status == Passed {
		return c
	}
	problem := &junitProblem{Type: problemType(s), Message: causeOf(s), Body: problemBody(s)}
	if s.Status == EnvError || s.Status == HarnessError {
		c.Error = problem
	} else {
		c.Failure = problem
	}
	return c
}

// problemType names the first broken promise, since that is what people group by.
func problemType(s *Scenario) string {
	switch s.Status {
	case EnvError:
		return "environment"
	case HarnessError:
		return "harness"
	case Failed:
		for _, p := range slices.Sorted(maps.Keys(s.Promises)) {
			if s.Promises[p] == "fail" {
				return "promise:" + p
			}
		}
		if len(s.Residue) > 0 {
			return "residue"
		}
		return "expectation"
	}
	return string(s.Status)
}

func problemBody(s *Scenario) string {
	var b strings.Builder
	b.WriteString(s.Page(false) + "\n")
	for _, r := range s.Residue {
		b.WriteString("left behind: " + oneLine(r) + "\n")
	}
	return b.String()
}

func timelineText(s *Scenario) string {
	var b strings.Builder
	for i, st := range s.Steps {
		mark := "ok  "
		if st.Failed {
			mark = "FAIL"
		}
		fmt.Fprintf(&b, "%s %8.0f ms +%.0f ms  step %d: %s\n", mark, st.StartMS, st.DurationMS, i+1, oneLine(st.Name))
	}
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "fault %s %s %s: planned %d, matched %d, applied %d\n",
			oneLine(f.ID), oneLine(f.Target), oneLine(f.Kind), f.Planned, f.Matched, f.Applied)
	}
	return b.String()
}

func junitSeconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }
