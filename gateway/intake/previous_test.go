package intake_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/intake"
)

// changeRule has the label "zone" ignored from now on.
func (w *whole) changeRule() {
	w.Previous = &intake.Previous{Identity: w.Config.Dedup.AlertIdentity()}
	w.Config.Dedup.IgnoredLabels = append([]string{"zone"}, w.Config.Dedup.IgnoredLabels...)
}

func TestAChangeOfTheRuleDoublesNoOpenIncident(t *testing.T) {
	w := newWhole(t)
	list := alerts("a", "b", "c", "d")
	for _, a := range list {
		a.Labels["zone"] = "z"
	}
	w.send("created created created member", list...)
	w.changeRule()
	w.send("duplicate duplicate duplicate duplicate", list...)
	w.holds("a: 1/2/0", "b: 1/2/0", "storm: 2/4/2", "member c", "member d")
	fresh := alerts("e")
	fresh[0].Labels["zone"] = "z"
	w.send("member duplicate", fresh[0], fresh[0])
}

func TestAnIncidentThatIsOverIsFollowedByOneOfTheNewRule(t *testing.T) {
	w := newWhole(t)
	a := alerts("a")[0]
	a.Labels["zone"] = "z"
	w.send("created", a)
	w.changeRule()
	w.send("duplicate", a)
	var rrs v1alpha1.RemediationRequestList
	if err := w.cluster.List(t.Context(), &rrs); err != nil {
		t.Fatal(err)
	}
	old := rrs.Items[0]
	old.Status.Phase = v1alpha1.PhaseCompleted
	if err := w.cluster.Status().Update(t.Context(), &old); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(w.Config.Dedup.Window + time.Minute)
	w.send("created duplicate", a, a)
	if err := w.cluster.List(t.Context(), &rrs); err != nil {
		t.Fatal(err)
	}
	rules := map[types.UID]string{}
	for _, rr := range rrs.Items {
		rules[rr.UID] = rr.Annotations[v1alpha1.AnnotationFingerprint]
	}
	if len(rules) != 2 || rules[old.UID] == w.Config.Dedup.AlertIdentity().Version() {
		t.Errorf("%v", rules)
	}
}
