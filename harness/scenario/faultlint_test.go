package scenario

import (
	"strings"
	"testing"
)

func TestLintKnowsWhatAFaultNeeds(t *testing.T) {
	for name, tc := range map[string]struct{ needs, fault, want string }{
		"an own server": {"{}", "{id: f, target: redis, kind: oom}",
			"steps.0.fault.kind: oom reconfigures the server, which others use too; write needs: {redis: own}"},
		"an own server that is there": {"{redis: own}", "{id: f, target: redis, kind: oom}", ""},
		"a replica that is there":     {"{replicas: 2}", "{id: f, target: redis, kind: cut, replica: 2}", ""},
		"a replica that is not": {"{replicas: 2}", "{id: f, target: kubernetes, kind: cut, replica: 3}",
			"steps.0.fault.replica: there is no replica 3, only 2; write needs: {replicas: 3}"},
		"fields that the kind reads": {"{}", "{id: f, target: kubernetes, kind: throttle, times: 3}",
			"steps.0.fault.times: a throttle fault with target: kubernetes does not use it; remove it"},
	} {
		text := "id: RED-99\ntitle: a scenario of this test\ncategory: redis-resilience\npromises: [P1]\nneeds: " + tc.needs +
			"\nsteps:\n  - fault: " + tc.fault + "\n" + oneSend
		s, err := Parse("red-99-x.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := Lint([]*Scenario{s}, nil).Error()
		if tc.want == "" && strings.Contains(got, "fault") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: lint says\n%s\nwant %q", name, got, tc.want)
		}
	}
}
