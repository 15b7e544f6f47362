package play

import (
	"testing"

	"github.com/stormproof/stormproof/harness/scenario"
)

func TestSecretsAreDrawnFromSeedAndScenario(t *testing.T) {
	s := &scenario.Scenario{ID: "SEC-90", Steps: []scenario.Step{{Send: &scenario.Send{ID: "one",
		Headers: map[string]string{"X-Api-Key": "{{secret.key}}"},
		Alerts:  []scenario.Alert{{Annotations: map[string]string{"note": "{{secret.note}}"}}}}}}}
	first, err := plantSecrets(s, 7)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]bool{"key": false, "note": true, authorization: false, kubernetesToken: false} {
		if got, planted := first[name]; !planted || got.content != content || len(got.value) < 20 {
			t.Errorf("%s: %+v, want one whose content is %t", name, got, content)
		}
	}
	again, err := plantSecrets(s, 7)
	if err != nil || again["key"] != first["key"] {
		t.Errorf("the same seed gives another secret, %v", err)
	}
	other, err := plantSecrets(s, 8)
	if err != nil || other["key"] == first["key"] {
		t.Errorf("another seed gives the same secret, %v", err)
	}
}
