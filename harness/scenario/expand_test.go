package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder writes files and returns their folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustParse(t *testing.T, text string) *Scenario {
	t.Helper()
	s, err := Parse("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAParameterKeepsItsTypeAloneAndIsTextInsideOfOne(t *testing.T) {
	s := mustParse(t, head+`params: {n: 12, pod: api, wait: 2s, code: 201, retry: true, labels: {alertname: A}}
steps:
  - send:
      id: "of-{{pod}}"
      retry: "{{retry}}"
      alerts: [{count: "{{n}}", labels: "{{labels}}", annotations: {note: "{{ pod }}-{{i}} in {{ ns }} of {{n}}"}}]
      answers: {"{{code}}": 12}
  - eventually: {within: "{{wait}}", that: "rr.size() == {{n}}"}
`)
	send := s.Steps[0].Send
	got := []any{send.ID, send.Retry, send.Alerts[0].Count, send.Alerts[0].Labels["alertname"], send.Alerts[0].Annotations["note"],
		send.Answers["201"], s.Steps[1].Eventually.Within.D().String(), s.Steps[1].Eventually.That}
	want := []any{"of-api", true, 12, "A", "api-{{i}} in {{ns}} of 12", 12, "2s", "rr.size() == 12"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatTheRunFillsInIsLeftAlone(t *testing.T) {
	const body = `{{i}} {{ns}} {{ns2}} {{sink.hook}} {{ .Labels.pod }} {{ range .Alerts }}{{ end }} {{dir}} {{redis}}`
	s := mustParse(t, head+"needs: {namespaces: 2}\nsinks: [hook]\nsteps:\n  - send: {id: a, answers: {200: 1}, body: '"+body+"'}\n")
	if got := *s.Steps[0].Send.Body; strings.ReplaceAll(got, "{{end}}", "{{ end }}") != body {
		t.Errorf("got %q", got)
	}
}

func TestEachCaseIsAScenarioOfItsOwnUnderOneID(t *testing.T) {
	s := mustParse(t, head+`params: {connections: 1}
cases:
  - {name: nine, n: 9, objects: 9}
  - {name: ten, n: 10, objects: 10, connections: 5}
steps:
  - storm: {id: "{{name}}", count: "{{n}}", connections: "{{connections}}", answers: {201: 1}}
  - expect: {that: "rr.size() == {{objects}}"}
`)
	var got []string
	for _, v := range s.Variants() {
		storm := v.Steps[0].Storm
		got = append(got, fmt.Sprintf("%s %s %s %d %d %s", v.ID, v.Case, storm.ID, storm.Count, storm.Connections, v.Steps[1].Expect.That))
	}
	want := []string{"STO-99 nine nine 9 1 rr.size() == 9", "STO-99 ten ten 10 5 rr.size() == 10"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	only, err := s.Only("ten")
	if err != nil || only.Case != "ten" || len(only.Variants()) != 1 {
		t.Errorf("Only(ten) = %v, %v", only, err)
	}
	if _, err := s.Only("tenn"); err == nil || !strings.Contains(err.Error(), `did you mean "ten"?`) {
		t.Errorf("Only(tenn) says %v", err)
	}
}

func TestAFragmentsStepsTakeThePlaceOfItsUse(t *testing.T) {
	dir := folder(t, map[string]string{
		"storm/sto-99-x.yaml": head + `params: {late: {pod: api-2, severity: warning}}
steps:
  - use: {fragment: ../fragments/open.yaml, with: {pod: api-1}}
  - advance: 1s
  - concurrently:
      - use: {fragment: ../fragments/open.yaml, with: "{{late}}"}
      - advance: 2s
`,
		"fragments/open.yaml": `params: {pod: , severity: critical}
steps:
  - send: {id: "open-{{pod}}", alerts: [{labels: {pod: "{{pod}}", severity: "{{severity}}"}}], answers: {201: 1}}
  - use: {fragment: deeper/check.yaml, with: {who: "{{pod}}"}}
`,
		"fragments/deeper/check.yaml": "params:\n  who:\nsteps:\n  - expect: {that: 'answers[\"open-{{who}}\"].count == 1'}\n",
	})
	s, err := Load(filepath.Join(dir, "storm/sto-99-x.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	Walk(s.Steps, func(step *Step) { got = append(got, step.Name()) })
	want := []string{"send open-api-1", `expect answers["open-api-1"].count == 1`, "advance 1s", "concurrently 2 steps",
		"sequence of 2 steps", "send open-api-2", `expect answers["open-api-2"].count == 1`, "advance 2s"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := s.Steps[3].Concurrently[0].Sequence[0].Send.Alerts[0].Labels["severity"]; got != "warning" {
		t.Errorf("severity is %q, want the one that was given", got)
	}
	for path, want := range map[string]string{"steps.0": "fragments/open.yaml:3", "steps.1.expect.that": "fragments/deeper/check.yaml:4",
		"steps.2": "storm/sto-99-x.yaml:8", "steps.3.concurrently.0": "storm/sto-99-x.yaml:10", "steps.3.concurrently.0.sequence.1": "fragments/deeper/check.yaml:4"} {
		file, line, _ := s.Position(path)
		if rel, _ := filepath.Rel(dir, file); fmt.Sprintf("%s:%d", rel, line) != want {
			t.Errorf("%s is at %s:%d, want %s", path, rel, line, want)
		}
	}
	if len(s.Sources) != 3 {
		t.Errorf("it is made from %v, want three files", s.Sources)
	}
}

func TestAMistakeInAFragmentIsToldThereWithTheWayToIt(t *testing.T) {
	dir := folder(t, map[string]string{
		"sto-99-x.yaml":    head + "steps:\n  - use: {fragment: fragments/a.yaml}\n",
		"fragments/a.yaml": "steps:\n  - use: {fragment: b.yaml}\n",
		"fragments/b.yaml": "steps:\n  - advance: 1s\n  - sned: {id: a}\n",
	})
	_, err := Load(filepath.Join(dir, "sto-99-x.yaml"))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 1 {
		t.Fatalf("got %v, want one problem", err)
	}
	want := `fragments/b.yaml:3:5: steps.1.sned: there is no field "sned" here; did you mean "send"? (used by fragments/a.yaml:2, used by sto-99-x.yaml:6)`
	if diff := cmp.Diff(want, strings.ReplaceAll(err.Error(), dir+"/", "")); diff != "" {
		t.Error(diff)
	}
}
