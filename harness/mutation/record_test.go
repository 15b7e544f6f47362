package mutation

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAVerdictHoldsUntilSomethingOfItChanges(t *testing.T) {
	root := t.TempDir()
	code := filepath.Join(root, "code.go")
	if err := os.WriteFile(code, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := []Mutant{{Name: "killed", File: "code.go", KilledBy: []string{"STO-01"}}, {Name: "survivor", File: "code.go", KilledBy: []string{"STO-02"}},
		{Name: "untried", File: "code.go", KilledBy: []string{"STO-01"}}}
	sources := map[string]string{"STO-01": "one", "STO-02": "two"}
	path := filepath.Join(root, "sub", "mutants.jsonl")
	for _, m := range list[:2] {
		key, err := Key(m, root, sources)
		if err != nil {
			t.Fatal(err)
		}
		if err := (Verdict{Name: m.Name, Key: key, Killed: m.Name == "killed"}).Keep(path); err != nil {
			t.Fatal(err)
		}
	}
	standing := func() (killed, survivors, untried int) {
		kept, err := Kept(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := StandingOf(list, root, sources, kept)
		if err != nil {
			t.Fatal(err)
		}
		return s.Killed, len(s.Survived), len(s.Untried)
	}
	if k, s, u := standing(); k != 1 || s != 1 || u != 1 {
		t.Errorf("%d killed, %d survived, %d untried; want one of each", k, s, u)
	}
	sources["STO-02"] = "changed"
	if k, s, u := standing(); k != 1 || s != 0 || u != 2 {
		t.Errorf("with a killer changed: %d killed, %d survived, %d untried", k, s, u)
	}
	if err := os.WriteFile(code, []byte("b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, _, u := standing(); k != 0 || u != 3 {
		t.Errorf("with the file changed: %d killed, %d untried", k, u)
	}
}

func TestNoFileIsNoVerdicts(t *testing.T) {
	kept, err := Kept(filepath.Join(t.TempDir(), "none"))
	if err != nil || len(kept) != 0 {
		t.Errorf("%v, %v", kept, err)
	}
}
