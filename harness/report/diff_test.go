package report

import (
	"reflect"
	"testing"
)

func TestDiffSaysWhatIsOtherwise(t *testing.T) {
	run := func(list ...Scenario) Run { return Run{Scenarios: list} }
	a := Report{Runs: []Run{run(
		Scenario{ID: "A-01", Status: Passed, DurationS: 1}, Scenario{ID: "A-02", Status: Passed, DurationS: 1},
		Scenario{ID: "A-03", Status: Failed, FirstCause: "P1: lost"}, Scenario{ID: "A-04", Status: Passed},
		Scenario{ID: "A-06", Status: Passed, DurationS: 0.4}, Scenario{ID: "A-07", Status: Passed, DurationS: 3})}}
	b := Report{Runs: []Run{
		run(Scenario{ID: "A-01", Status: Passed, DurationS: 1.2}, Scenario{ID: "A-02", Status: Passed},
			Scenario{ID: "A-03", Status: Passed}, Scenario{ID: "A-05", Status: Passed},
			Scenario{ID: "A-06", Status: Passed, DurationS: 1.2}, Scenario{ID: "A-07", Status: Passed, DurationS: 6.5}),
		run(Scenario{ID: "A-02", Status: EnvError, FirstCause: "no Redis"}),
	}}
	want := []Change{
		{ID: "A-02", Before: Passed, After: EnvError, BeforeS: 1, Cause: "no Redis"},
		{ID: "A-03", Before: Failed, After: Passed, Cause: "P1: lost"},
		{ID: "A-04", Before: Passed},
		{ID: "A-05", After: Passed},
		{ID: "A-07", Before: Passed, After: Passed, BeforeS: 3, AfterS: 6.5},
	}
	if got := Diff(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := Diff(a, a); len(got) != 0 {
		t.Errorf("a report differs from itself: %+v", got)
	}
}
