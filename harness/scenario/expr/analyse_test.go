package expr

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConstantFindsWhatCannotFailAndNeverGuesses(t *testing.T) {
	for source, want := range map[string]string{
		"true": "true", "1 == 1": "true", "false": "false", "'a' in ['b']": "false", "[1, 2].all(x, x > 0)": "true",
		"rr == rr": "true", "rr.size() == rr.size()": "true", "rr != rr": "false", "rr.size() < rr.size()": "false",
		"rr.size() >= 0": "true", "size(rr) > -1": "true", "0 <= rr.size()": "true", "rr.size() < 0": "false", "rr.size() == -1": "false",
		"answers.a.count >= 0": "true", "faults['f'].applied >= 0": "true", "kube['create x'] >= 0": "true",
		"rr.size() + keys.size() >= 0": "true", "rr.size() >= 1": "?", "rr.size() > 0": "?", "rr.size() - 1 >= 0": "?",
		"rr.size() == 1 || true": "true", "rr.size() == 1 || 1 == 1": "true", "rr.size() == 1 && false": "false",
		"rr.size() == 1 && true": "?", "!(rr.size() >= 0)": "false", "true ? rr.size() >= 0 : ready": "true",
		"ready.status == 200 ? true : true": "true", "ready.status == 200 ? true : false": "?",
		"rr.all(r, true)": "true", "rr.all(r, r.spec == r.spec)": "true", "rr.exists(r, false)": "false", "rr.all(r, r.spec.x == 1)": "?",
		"rr.exists(r, true)": "?", "rr.filter(r, true).size() >= 0": "true", "metrics['x'] >= 0.0": "?", "keys.all(k, k.ttlMs >= 0)": "?",
		"log.contains('')": "?", "answers.a.count == 0": "?", "rr[0].status.count >= 0": "?", "has(answers.a)": "?",
	} {
		e, err := Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got := "?"
		if value, known := e.Constant(); known {
			got = map[bool]string{true: "true", false: "false"}[value]
		}
		if got != want {
			t.Errorf("%s is %s, want %s", source, got, want)
		}
	}
}

func TestUsesAndRefsNameWhatAnExpressionReads(t *testing.T) {
	e, err := Compile(`answers.first.count == 1 && answers["second-one"].list.all(a, a.status == 200) && has(faults.slow) && rr.exists(ready, ready.x == ns)`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"answers", "faults", "ns", "rr"}, e.Uses()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Ref{{"first", 0}, {"second-one", 28}}, e.Refs("answers")); diff != "" {
		t.Error(diff)
	}
	if got := e.Refs("faults"); len(got) != 1 || got[0].Name != "slow" {
		t.Errorf("faults: %v", got)
	}
}

func TestAnErrorSaysWhereAndWhatInstead(t *testing.T) {
	for source, want := range map[string]Error{
		"rrs.size() == 1":          {0, "there is no variable rrs", "did you mean rr? A text needs quotes: 'rrs'"},
		"rr.size() == 1 && redy":   {18, "there is no variable redy", "did you mean ready? A text needs quotes: 'redy'"},
		"rr.sise() == 1":           {7, "there is no function sise", "did you mean size?"},
		"rr.size( == 1":            {9, "not an expression: unexpected '=='", "close every bracket and quote; && is and, || is or, ! is not, == compares"},
		"rr.size() ==":             {12, "not an expression: it ends too early", "close every bracket and quote; && is and, || is or, ! is not, == compares"},
		"rr.size()":                {0, "the expression yields int, and must yield true or false", "compare it with something, for example == 1"},
		"rr.size() == 'three'":     {10, "== does not work on int and string", "both sides must have types that go together; int(), double() and string() convert"},
		"ns ==\n  'a' &&\n xyzzzz": {16, "there is no variable xyzzzz", "valid here: answers, audit, explain, faults, health, keys, kube, log, members, metricLint, metrics, ns, objects, pages, ready, received, redisNodes, rights, rr, spans, table; a text needs quotes: 'xyzzzz'"},
	} {
		_, err := Compile(source)
		var got *Error
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
	}
}
