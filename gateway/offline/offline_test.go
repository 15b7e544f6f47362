package offline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/offline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAReplayThatGoesAsItsFileSays(t *testing.T) {
	for _, name := range []string{"storm", "mixed"} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			wrong, err := offline.Replay(t.Context(), &out, "testdata/"+name+".replay.yaml", "")
			if err != nil || wrong != 0 || strings.Contains(out.String(), "FAIL") {
				t.Errorf("%d steps are wrong, %v\n%s", wrong, err, out.String())
			}
		})
	}
}

// TestAnotherConfigurationShowsWhatItWouldChange: the file stays, the configuration is tried.
func TestAnotherConfigurationShowsWhatItWouldChange(t *testing.T) {
	var out strings.Builder
	wrong, err := offline.Replay(t.Context(), &out, "testdata/storm.replay.yaml", "testdata/three.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"FAIL testdata/storm.replay.yaml step 1: sent storm.json: {created: 3, member: 9}",
		"       want {created: 10, member: 2}; got {created: 3, member: 9}",
		"       want objects: 10; got 3",
		"ok   testdata/storm.replay.yaml step 2: sent storm.json: {duplicate: 12}",
	}
	got := strings.Split(out.String(), "\n")
	if d := cmp.Diff(want, got[:len(want)]); d != "" {
		t.Error(d)
	}
	if wrong != 2 {
		t.Errorf("%d steps are wrong, want the first and the last\n%s", wrong, out.String())
	}
}

func TestAReplayIsTheSameEveryTime(t *testing.T) {
	play := func() string {
		var out strings.Builder
		if _, err := offline.Replay(t.Context(), &out, "testdata/storm.replay.yaml", "testdata/three.yaml"); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	first := play()
	for range 5 {
		if d := cmp.Diff(first, play()); d != "" {
			t.Fatal(d)
		}
	}
}

func TestAReplayThatMeansNothingIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"nothing is expected":          {"steps: [{body: '{}'}]", "cannot fail"},
		"two actions in a step":        {"steps: [{advance: 1m, complete: true, want: {}}]", "step 1: write exactly one of"},
		"a step of nothing":            {"steps: [{source: alertmanager}, {objects: 0}]", "step 1: write exactly one of"},
		"an unknown key":               {"steps: [{sent: a.json}]", "sent"},
		"a file that is missing":       {"steps: [{send: none.json, want: {}}]", "step 1: reading the captured body"},
		"a body that is none":          {"steps: [{body: '{', want: {}}]", "step 1: the body: line 1, column 2"},
		"a source that does not exist": {"steps: [{body: '{}', source: pager, want: {}}]", "name one of alertmanager, kubernetes-event"},
		"a bad configuration":          {"config: bad.yaml\nsteps: [{objects: 0}]", "bad.yaml:1:17: dedup.window"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"r.yaml": tc.text, "bad.yaml": "dedup: {window: 0s}"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			if _, err := offline.Replay(t.Context(), &out, filepath.Join(dir, "r.yaml"), ""); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v does not say %q", err, tc.want)
			}
		})
	}
}

func TestExplainNamesTheLabelsAndTheRules(t *testing.T) {
	c, err := config.Load("testdata/three.yaml")
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile("testdata/mixed.json")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	invalid, err := offline.Explain(&out, c, "alertmanager", body)
	if err != nil || invalid != 1 {
		t.Fatalf("%d invalid, %v", invalid, err)
	}
	want, err := os.ReadFile("testdata/explain.txt")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Error(d)
	}
	out.Reset()
	if _, err := offline.Explain(&out, c, "kubernetes-event", []byte(`[{"apiVersion":"v1","kind":"Event","type":"Normal"}]`)); err != nil || !strings.Contains(out.String(), "alert 0 is ignored") {
		t.Errorf("%s, %v", out.String(), err)
	}
}
