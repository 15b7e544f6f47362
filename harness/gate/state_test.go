package gate

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stormproof/stormproof/harness/report"
)

func TestAGateGoesOnOnlyWhereNothingHasChanged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "gate.json")
	if s, ok, err := LoadState(path, "k"); ok || err != nil || s.Key != "k" {
		t.Errorf("without a file: %+v, %v, %v", s, ok, err)
	}
	saved := State{Key: "k", Dir: dir, Seed: 7, Lint: &Lint{Ran: true}, Unit: []UnitRun{{Seed: 7, Passed: 3}}, Runs: []report.Run{{Seed: 7}}}
	if err := saved.Save(path); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := LoadState(path, "k"); !ok || err != nil || !reflect.DeepEqual(got, saved) {
		t.Errorf("the same: %+v, %v, %v", got, ok, err)
	}
	if got, ok, err := LoadState(path, "another tree"); ok || err != nil || len(got.Unit) > 0 {
		t.Errorf("another tree: %+v, %v, %v", got, ok, err)
	}
	saved.Dir = filepath.Join(dir, "gone")
	if err := saved.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := LoadState(path, "k"); ok || err != nil {
		t.Errorf("a folder that is gone: %v, %v", ok, err)
	}
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadState(path, "k"); err == nil {
		t.Error("a damaged file was taken")
	}
}
