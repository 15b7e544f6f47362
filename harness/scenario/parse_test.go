package scenario

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// head begins every scenario of these tests; it has four lines.
const head = `id: STO-99
title: a scenario of a test
category: storm
promises: [P1]
`

// sound is a scenario without any mistake.
const sound = head + `steps:
  - send:
      id: one
      alerts: [{labels: {alertname: A}}]
      answers: {"201": 1}
`

func TestAWrongFileIsToldByLineFieldAndSuggestion(t *testing.T) {
	for name, tc := range map[string]struct {
		text                    string
		line                    int
		field, said, suggestion string
	}{
		"a field that does not exist at the top": {
			head + "stepz: []\nsteps: [{heal: a}]\n", 5, "stepz", `no field "stepz"`, `did you mean "steps"?`},
		"a field that does not exist deep inside": {
			head + "steps:\n  - send:\n      id: one\n      answrs: {\"201\": 1}\n", 8, "steps.0.send.answrs", `no field "answrs"`, `did you mean "answers"?`},
		"a step that does not exist": {
			head + "steps:\n  - expectt: {that: \"true\"}\n", 6, "steps.0.expectt", `no field "expectt"`, `did you mean "expect"?`},
		"a word that is not in its list": {
			head + "steps:\n  - redis:\n      server: stopp\n", 7, "steps.0.redis.server", "stopp is not one of", `did you mean "stop"?`},
		"a phase that does not exist": {
			head + "steps:\n  - phase:\n      to: Complete\n      count: 1\n", 7, "steps.0.phase.to", "Complete is not one of", `did you mean "Completed"?`},
		"two keys in one step": {
			head + "steps:\n  - heal: a\n    advance: 1s\n", 6, "steps.0", "a step does exactly one thing", "new list item"},
		"a step without a key": {
			head + "steps:\n  - {}\n", 6, "steps.0", "a step does exactly one thing", "new list item"},
		"a bad duration": {
			head + "steps:\n  - advance: 5 minutes\n", 6, "steps.0.advance", "is not a duration", "write for example 500ms, 2s or 4m59s"},
		"a duration without a unit": {
			head + "steps:\n  - advance: \"5\"\n", 6, "steps.0.advance", "is not a duration", "write for example 500ms, 2s or 4m59s"},
		"a required field that is missing": {
			head + "steps:\n  - send:\n      alerts: []\n", 6, "steps.0.send", "missing id", ""},
		"a title that is missing": {
			"id: STO-99\ncategory: storm\npromises: [P1]\nsteps: [{heal: a}]\n", 1, "", "missing title", ""},
		"an id of another form": {
			strings.Replace(sound, "STO-99", "storm-1", 1), 1, "id", "is not an id", "for example STO-31"},
		"a promise that does not exist": {
			strings.Replace(sound, "[P1]", "[P0]", 1), 4, "promises.0", "is not a promise", "P1 to P9"},
		"no step at all": {
			head + "steps: []\n", 5, "steps", "no items", "at least 1"},
		"a number out of range": {
			head + "needs: {replicas: 9}\nsteps: [{heal: a}]\n", 5, "needs.replicas", "9 is too large", "at most 3"},
		"broken YAML": {
			head + "steps: [\n", 5, "", "", ""},
		"an empty file": {
			"", 1, "", "exactly one YAML document", "stormproof new"},
		"two documents in one file": {
			sound + "---\n" + sound, 1, "", "exactly one YAML document", "stormproof new"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(tc.text))
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("got %v, want Problems", err)
			}
			p := problems[0]
			if p.File != "x.yaml" || p.Line != tc.line || p.Field != tc.field {
				t.Errorf("at %s:%d in %q, want x.yaml:%d in %q; %v", p.File, p.Line, p.Field, tc.line, tc.field, p)
			}
			if p.Col < 1 || !strings.Contains(p.Message, tc.said) || !strings.Contains(p.Suggestion, tc.suggestion) {
				t.Errorf("said %q, want %q and %q", p, tc.said, tc.suggestion)
			}
		})
	}
}

func TestEveryMistakeOfAFileIsToldAtOnceInOrder(t *testing.T) {
	_, err := Parse("x.yaml", []byte(head+"colour: red\nsteps:\n  - advance: soon\n  - phase: {to: Done, count: 1}\n"))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want Problems", err)
	}
	var fields []string
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	if diff := cmp.Diff([]string{"colour", "steps.0.advance", "steps.1.phase.to"}, fields); diff != "" {
		t.Error(diff)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "x.yaml:5:1: colour: ") {
		t.Errorf("want a line for each problem, as file:line:column: field, got:\n%v", err)
	}
}

func TestASoundFileIsReadWhole(t *testing.T) {
	s, err := Parse("x.yaml", []byte(head+`needs: {redis: own, replicas: 2}
gateway: {dedup: {window: 1m}}
timeout: 90s
steps:
  - advance: 4m59s999ms
  - fault: {id: slow, target: redis, kind: latency, delay: 500ms, times: 2, applied: 2, match: {command: EVALSHA}}
`))
	if err != nil {
		t.Fatal(err)
	}
	advance, two := Duration(5*time.Minute-time.Millisecond), int64(2)
	want := &Scenario{ID: "STO-99", Title: "a scenario of a test", Category: "storm", Promises: []string{"P1"},
		Needs: Needs{Redis: "own", Replicas: 2}, Gateway: map[string]any{"dedup": map[string]any{"window": "1m"}},
		Timeout: Duration(90 * time.Second), File: "x.yaml",
		Steps: []Step{{Advance: &advance}, {Fault: &Fault{ID: "slow", Target: "redis", Kind: "latency", Times: 2,
			Delay: Duration(500 * time.Millisecond), Applied: &two, Match: Match{Command: "EVALSHA"}}}}}
	want.Sources = []string{"x.yaml"}
	if diff := cmp.Diff(want, s, cmpopts.IgnoreUnexported(Scenario{})); diff != "" {
		t.Error(diff)
	}
}
