package play

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/history"
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

func TestASecretIsFoundInEveryTrace(t *testing.T) {
	const value = "S0123456789abcdef01234567"
	in := func(text string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			if err := os.WriteFile(filepath.Join(w.dir, "gateway-1.log"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	object := func(_ *testing.T, w *world) {
		rr := v1alpha1.RemediationRequest{Spec: v1alpha1.RemediationRequestSpec{Annotations: map[string]string{"note": value}}}
		w.last = &lastList{requests: []v1alpha1.RemediationRequest{rr}}
	}
	for name, tc := range map[string]struct {
		plant   func(*testing.T, *world)
		content bool
		where   string
	}{
		"nowhere":                      {in("all is well\n"), false, ""},
		"a log":                        {in("one\ntoken=" + value + "\n"), false, "gateway-1.log, line 2"},
		"base64, first place":          {in(base64.StdEncoding.EncodeToString([]byte("abc" + value + "xyz"))), false, "gateway-1.log, line 1"},
		"base64, second place":         {in(base64.StdEncoding.EncodeToString([]byte("user:" + value))), false, "gateway-1.log, line 1"},
		"base64, third place":          {in(base64.URLEncoding.EncodeToString([]byte("user" + value + "!"))), false, "gateway-1.log, line 1"},
		"an answer":                    {func(_ *testing.T, w *world) { w.answers.add("one", answer{body: map[string]any{"detail": value}}) }, true, "answer 1 of one, line 1"},
		"an answer's header":           {func(_ *testing.T, w *world) { w.answers.add("one", answer{headers: map[string]any{"x": value}}) }, false, "answer 1 of one, line 1"},
		"an object":                    {object, false, "RemediationRequests and StormPages, line 1"},
		"an object, as it should be":   {object, true, ""},
		"a log, though an alert's own": {in(value), true, "gateway-1.log, line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := recorded(t)
			w.dir, w.answers = t.TempDir(), newAnswers()
			w.secrets = map[string]secret{"token": {value, tc.content}}
			tc.plant(t, w)
			if err := w.findSecrets(t.Context(), []byte("a metric\n")); err != nil {
				t.Fatal(err)
			}
			var leaks []history.Leak
			scanned := false
			for _, e := range w.history.Events() {
				if e.Leak != nil {
					leaks = append(leaks, *e.Leak)
				}
				scanned = scanned || e.Scan != nil && e.Scan.Places > 1
			}
			if !scanned {
				t.Error("the search is not on record")
			}
			if tc.where == "" && len(leaks) > 0 || tc.where != "" && (len(leaks) != 1 || leaks[0].Where != tc.where || leaks[0].Secret != "token") {
				t.Errorf("%+v, want one in %q", leaks, tc.where)
			}
			for _, l := range leaks {
				if strings.Contains(l.Where, value) {
					t.Error("the record repeats the secret")
				}
			}
		})
	}
}
