package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stormproof/stormproof/harness/report"
)

func TestTheCommittedReportSchemaIsWhatTheTypesMake(t *testing.T) {
	want, err := report.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("report.v1.json")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("report.v1.json is not what the types make (%v); type: make generate", err)
	}
}

// TestReportsFollowTheirSchema holds the schema against reports, and against one that is none.
func TestReportsFollowTheirSchema(t *testing.T) {
	b, err := report.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource(report.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(report.SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text []byte) error {
		v, err := validator.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for _, red := range []bool{true, false} {
		dir := t.TempDir()
		if err := report.Write(dir, sampleReport(4, 2, red)); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, report.JSONFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(text); err != nil {
			t.Errorf("red %v: %v", red, err)
		}
		if validate(bytes.Replace(text, []byte(`"order":`), []byte(`"ordre":`), 1)) == nil {
			t.Error("a run without an order is valid")
		}
	}
}

func TestTheBadgeSaysTheVerdictInWords(t *testing.T) {
	for name, c := range map[string]struct {
		r    report.Report
		says string
	}{
		"green":   {sampleReport(2, 1, false), "PASS 10/10"},
		"red":     {sampleReport(6, 1, true), "FAIL "},
		"nothing": {report.Report{}, "NO RESULT"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := report.WriteBadge(&b, c.r); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), "%!") || !strings.Contains(b.String(), "<text x=") || !strings.Contains(b.String(), ">"+c.says) {
				t.Errorf("no %q in\n%s", c.says, b.String())
			}
			for d := xml.NewDecoder(&b); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestMetricsAreReadByPrometheus(t *testing.T) {
	r := sampleReport(6, 2, true)
	r.Gate = &report.Gate{Verdict: "fail", Criteria: []report.Criterion{{Name: "lint", Pass: true}, {Name: "pass rate"}}}
	r.Flake = &report.Flake{Runs: 2, Failures: 1, UpperBound95: 0.97}
	var b bytes.Buffer
	if err := report.WriteMetrics(&b, r); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.String(), "# EOF\n") {
		t.Errorf("OpenMetrics ends with # EOF:\n%s", b.String())
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(strings.TrimSuffix(b.String(), "# EOF\n")))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, m := range families["stormproof_scenario_executions"].GetMetric() {
		sum += m.GetGauge().GetValue()
	}
	if sum != float64(r.Totals.Scenarios) {
		t.Errorf("%v executions, want %d", sum, r.Totals.Scenarios)
	}
	if got := families["stormproof_report_pass"].GetMetric()[0].GetGauge().GetValue(); got != 0 {
		t.Errorf("a red report passes: %v", got)
	}
	if got := len(families["stormproof_gate_criterion_met"].GetMetric()); got != 2 {
		t.Errorf("%d criteria, want 2", got)
	}
}

func TestAnnotationsPointAtTheLineOfTheStep(t *testing.T) {
	red := func(id string) report.Scenario {
		return report.Scenario{ID: id, Title: "one, two: three", File: "scenarios/x.yaml", Status: report.Failed, Detail: "100 %\nlost",
			Why: &report.Why{Position: "scenarios/x.yaml:7"}}
	}
	r := report.Report{Runs: []report.Run{{Scenarios: []report.Scenario{red("A-01"), {ID: "A-02", Status: report.Passed}}}, {Scenarios: []report.Scenario{red("A-01")}}}}
	var b bytes.Buffer
	if err := report.WriteAnnotations(&b, r); err != nil {
		t.Fatal(err)
	}
	if want := "::error file=scenarios/x.yaml,line=7,title=A-01 one%2C two%3A three::100 %25%0Alost\n"; b.String() != want {
		t.Errorf("got  %swant %s", b.String(), want)
	}
	r.Runs = nil
	for i := range 12 {
		r.Runs = append(r.Runs, report.Run{Scenarios: []report.Scenario{red("A-" + string(rune('a'+i)))}})
	}
	b.Reset()
	if err := report.WriteAnnotations(&b, r); err != nil || strings.Count(b.String(), "\n") != 10 {
		t.Errorf("%d annotations, GitHub shows 10: %v", strings.Count(b.String(), "\n"), err)
	}
}
