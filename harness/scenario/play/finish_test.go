package play

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

// recorded is a world with a history that has begun, and nothing else.
func recorded(t *testing.T) *world {
	t.Helper()
	w := &world{scenario: &scenario.Scenario{ID: "STO-90"}, namespaces: []string{"a"}, search: newSearch(nil)}
	var err error
	if w.history, err = history.Open(filepath.Join(t.TempDir(), "history.jsonl"), time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.history.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.history.Add(history.Event{Step: -1, Begin: &history.Begin{Schema: history.Schema}}); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestEvidenceIsKeptOnlyWhereTheJudgeWillFindSomething(t *testing.T) {
	w := recorded(t)
	if err := w.history.Add(history.Event{Step: -1, List: &history.List{}}); err != nil {
		t.Fatal(err)
	}
	if w.foreseenRed() {
		t.Error("a green history is taken for a red one")
	}
	if err := w.history.Add(history.Event{Residue: &history.Residue{Kind: "object", What: "one"}}); err != nil {
		t.Fatal(err)
	}
	if !w.foreseenRed() {
		t.Error("residue is not foreseen to be red")
	}
}

func TestAnObjectThatWillNotGoIsResidue(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	held := &v1alpha1.RemediationRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "held", Finalizers: []string{"example.com/hold"}}}
	w := recorded(t)
	w.kube = fake.NewClientBuilder().WithScheme(scheme).WithObjects(held).Build()
	w.watch = &watcher{alive: map[string]*v1alpha1.RemediationRequest{"a/held": held}}
	var out report.Scenario
	if err := w.findObjects(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Residue) != 1 || !strings.Contains(out.Residue[0], "a/held") {
		t.Errorf("%q", out.Residue)
	}
	w.watch.alive = nil
	out = report.Scenario{}
	if err := w.findObjects(t.Context(), &out); err != nil || len(out.Residue) > 0 {
		t.Errorf("%q, %v", out.Residue, err)
	}
}

func TestAWatchThatGoesOnTellsWhatItMissed(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	named := func(name string) *v1alpha1.RemediationRequest {
		return &v1alpha1.RemediationRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, UID: types.UID(name)}}
	}
	w := recorded(t)
	w.kube = fake.NewClientBuilder().WithScheme(scheme).WithObjects(named("stays"), named("new")).Build()
	w.watch = newWatch(w)
	for _, name := range []string{"stays", "gone"} {
		w.watch.show(watch.Added, named(name))
	}
	if err := w.watch.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.watch.stop(); err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	for _, e := range w.history.Events() {
		if e.Object != nil {
			last[e.Object.Name] = e.Object.Change
		}
	}
	if want := map[string]string{"stays": "added", "new": "added", "gone": "deleted"}; !maps.Equal(last, want) {
		t.Errorf("%v, want %v", last, want)
	}
}
