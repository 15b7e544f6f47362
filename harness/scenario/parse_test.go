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
