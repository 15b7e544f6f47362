package mutation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestApplyReplacesTheOnePlaceAndRefusesAnyOtherNumber(t *testing.T) {
	m := Mutant{Name: "m", File: "f.go", Old: "a < b", New: "a <= b"}
	for name, tc := range map[string]struct{ source, want, said string }{
		"one place is replaced":    {"if a < b {", "if a <= b {", ""},
		"no place is refused":      {"if a > b {", "", "stands 0 times in f.go"},
		"two places are refused":   {"a < b; a < b", "", "stands 2 times in f.go"},
		"an empty file is refused": {"", "", "stands 0 times in f.go"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := m.Apply(tc.source)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if tc.said == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.said) || !strings.Contains(err.Error(), "fixtures/mutants/m.yaml") {
				t.Errorf("got %v, want %q and the file to adapt", err, tc.said)
			}
		})
	}
}

func TestLoadRefusesAMutantThatIsNotWhole(t *testing.T) {
	const whole = "promise: P1\nwhy: w\nfile: f.go\nold: a\nnew: b\nkilledBy: [STO-01]\n"
	for name, tc := range map[string]struct{ text, said string }{
		"a whole one is taken":        {whole, ""},
		"an unknown field is refused": {whole + "killers: []\n", "killers"},
		"a missing promise is":        {strings.Replace(whole, "promise: P1\n", "", 1), "must all be set"},
		"a missing file is":           {strings.Replace(whole, "file: f.go\n", "", 1), "must all be set"},
		"a missing old text is":       {strings.Replace(whole, "old: a\n", "", 1), "must all be set"},
		"a missing killer is":         {strings.Replace(whole, "killedBy: [STO-01]\n", "", 1), "must all be set"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "some-bug.yaml"), []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Load(dir)
			if tc.said != "" {
				if err == nil || !strings.Contains(err.Error(), tc.said) || !strings.Contains(err.Error(), "some-bug.yaml") {
					t.Errorf("got %v, want %q and the file's name", err, tc.said)
				}
				return
			}
			want := []Mutant{{Name: "some-bug", Promise: "P1", Why: "w", File: "f.go", Old: "a", New: "b", KilledBy: []string{"STO-01"}}}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// TestEveryMutantAppliesToTheTreeAndHasAKiller fails as soon as the gateway moves on and a
// seeded bug no longer fits, long before `make mutants` would.
func TestEveryMutantAppliesToTheTreeAndHasAKiller(t *testing.T) {
	const root = "../.."
	mutants, err := Load(filepath.Join(root, "fixtures", "mutants"))
	if err != nil {
		t.Fatal(err)
	}
	if len(mutants) < 10 {
		t.Fatalf("found %d mutants, want the seeded bugs", len(mutants))
	}
	for _, m := range mutants {
		t.Run(m.Name, func(t *testing.T) {
			if !strings.HasPrefix(m.File, "gateway/") {
				t.Errorf("%s is no file of the gateway", m.File)
			}
			b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File)))
			if err != nil {
				t.Fatal(err)
			}
			mutated, err := m.Apply(string(b))
			if err != nil {
				t.Fatal(err)
			}
			if mutated == string(b) || m.Why == "" {
				t.Error("a mutant must change something and say why")
			}
			for _, id := range m.KilledBy {
				found, err := filepath.Glob(filepath.Join(root, "scenarios", "*", strings.ToLower(id)+"-*.yaml"))
				if err != nil || len(found) != 1 {
					t.Errorf("killer %s: found %v, %v; want one scenario", id, found, err)
				}
			}
		})
	}
}

func TestEvidenceIsTheFirstScenarioThatFailedAndNothingElse(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a failed scenario with its cause": {"passed STO-01 0.1s\nfailed STO-03 a title\n  storm has 11 objects\n  more\n", "STO-03: storm has 11 objects"},
		"the first of two":                 {"failed A-1 t\n  x\nfailed B-2 t\n  y\n", "A-1: x"},
		"an environment error is none":     {"environment STO-03 t\n  no redis\n", ""},
		"a harness error is none":          {"harness_error STO-03 t\n  oops\n", ""},
		"silence is none":                  {"", ""},
		"a failure without a cause is too": {"failed STO-03 t", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := evidence(tc.text); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
