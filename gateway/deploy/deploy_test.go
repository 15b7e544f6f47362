package deploy_test

import (
	"slices"
	"testing"

	"github.com/stormproof/stormproof/gateway/deploy"
)

func TestRulesNameEverythingAndHoldNoWildcard(t *testing.T) {
	rules, err := deploy.Rules()
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) == 0 {
		t.Fatal("there are none")
	}
	for _, r := range rules {
		for _, list := range [][]string{r.APIGroups, r.Resources, r.Verbs} {
			if len(list) == 0 || slices.Contains(list, "*") {
				t.Errorf("%v allows too much, or nothing", r)
			}
		}
		if len(r.NonResourceURLs) > 0 {
			t.Errorf("%v is no rule about a resource", r)
		}
	}
}
