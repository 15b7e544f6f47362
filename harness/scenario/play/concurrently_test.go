package play

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

// TestEveryFailureOfConcurrentlyIsTold uses steps that fail before they need a world: an
// empty step, and healing what was never armed.
func TestEveryFailureOfConcurrentlyIsTold(t *testing.T) {
	one, two := "one", "two"
	steps := []scenario.Step{{Concurrently: []scenario.Step{
		{Heal: &one},
		{Sequence: []scenario.Step{{Concurrently: []scenario.Step{{Heal: &two}, {}}}, {Heal: &two}}},
	}}}
	w := &world{host: &Host{}, scenario: &scenario.Scenario{ID: "STO-90", File: "nowhere.yaml", Case: "ten", Steps: steps}, round: 1, faults: newArmedFaults()}
	out := &report.Scenario{Status: report.Passed}
	err := w.do(context.Background(), &steps[0])
	for _, e := range each(&stepError{"steps", 0, "concurrently 2 steps", err}) {
		w.blame(out, e, "", report.HarnessError)
	}
	got := append([]string{out.Why.Step + " " + out.Why.Check + " in case " + out.Why.Case}, out.Why.Also...)
	want := []string{
		`1.1 no fault "one" was armed before it is healed in case ten`,
		`step 1 (concurrently 2 steps): step 2 (sequence of 2 steps): step 1 (concurrently 2 steps): step 1 (heal two): no fault "two" was armed before it is healed`,
		`step 1 (concurrently 2 steps): step 2 (sequence of 2 steps): step 1 (concurrently 2 steps): step 2 (alertmanager): the step is empty`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
