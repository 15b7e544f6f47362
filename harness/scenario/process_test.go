package scenario

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAGatewayRunsAsItIsAskedToWhereItsScenarioCan asks for each way and tells which way
// each scenario then runs.
func TestAGatewayRunsAsItIsAskedToWhereItsScenarioCan(t *testing.T) {
	list := func() map[string]*Scenario {
		return map[string]*Scenario{
			"any":              {},
			"one that kills":   {Needs: Needs{System: Binary}, Steps: []Step{{Kill: &Replica{}}}},
			"one that crashes": {Needs: Needs{System: Binary}, Steps: []Step{{Concurrently: []Step{{Crash: &Crash{At: "decided"}}, {}}}}},
			"in the cluster":   {Needs: Needs{System: Cluster}},
			"not the gateway":  {System: &System{}},
			"of two cases":     {variants: []*Scenario{{Case: "a"}, {Case: "b", Steps: []Step{{Crash: &Crash{At: "decided"}}}}}},
		}
	}
	for way, want := range map[string]map[string][]string{
		Cluster: {"any": {Cluster}, "one that kills": {Cluster}, "one that crashes": {Binary}, "in the cluster": {Cluster},
			"not the gateway": {""}, "of two cases": {Cluster, ""}},
		Binary: {"any": {Binary}, "one that kills": {Binary}, "one that crashes": {Binary}, "in the cluster": {Cluster},
			"not the gateway": {""}, "of two cases": {Binary, Binary}},
	} {
		t.Run(way, func(t *testing.T) {
			got := map[string][]string{}
			for name, s := range list() {
				s.RunAs(way)
				for _, v := range s.Variants() {
					got[name] = append(got[name], v.Needs.System)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
