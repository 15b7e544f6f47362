package catalogue

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/mutation"
	"github.com/stormproof/stormproof/harness/scenario"
)

func TestPageOfTheCatalogueIsInStep(t *testing.T) {
	t.Chdir("../..")
	files, err := scenario.Files("scenarios")
	if err != nil {
		t.Fatal(err)
	}
	var list []*scenario.Scenario
	for _, f := range files {
		s, err := scenario.Load(f)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	mutants, err := mutation.Load("fixtures/mutants")
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := Ledger("fixtures/ledger.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("scenarios/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Page(list, mutants, ledger), string(got)); diff != "" {
		t.Errorf("scenarios/README.md is behind; type: make generate (-made +there)\n%s", diff)
	}
	for _, d := range ledger {
		if d.Seeded != "" && !slices.ContainsFunc(mutants, func(m mutation.Mutant) bool { return m.Name == d.Seeded }) {
			t.Errorf("the ledger names a seeded bug that is not there: %s", d.Seeded)
		}
	}
	// Both sides of a claim agree: what a scenario says it kills, and what names it as killer.
	for _, s := range list {
		var named []string
		for _, m := range mutants {
			if slices.Contains(m.KilledBy, s.ID) {
				named = append(named, m.Name)
			}
		}
		claims := slices.Sorted(slices.Values(s.Kills))
		if diff := cmp.Diff(named, claims); diff != "" {
			t.Errorf("%s: seeded bugs that name it, and those that it names (-mutants +kills)\n%s", s.File, diff)
		}
	}
}

func TestPageHasARowForEachAndKeepsItsCells(t *testing.T) {
	list := []*scenario.Scenario{
		{ID: "B-01", Title: "two | cells", Category: "b", Promises: []string{"P1", "P2"}, File: "scenarios/b/b-01.yaml"},
		{ID: "A-01", Title: "one", Category: "a", File: "scenarios/a/a-01.yaml"},
	}
	mutants := []mutation.Mutant{{Name: "bug", Promise: "P2", Why: "why", File: "gateway/x.go", KilledBy: []string{"B-01"}}}
	page := Page(list, mutants, []Defect{{In: "gateway", What: "it broke", By: []string{"B-01"}, Mended: "abc1234", Seeded: "bug"},
		{In: "harness", What: "it lied", By: []string{"gate"}, Mended: "def5678"}})
	for _, want := range []string{
		"2 scenarios, 1 seeded bugs",
		"## a (1)", "## b (1)",
		"| [B-01](b/b-01.yaml) | two \\| cells | P1 P2 | `bug` |",
		"| [A-01](a/a-01.yaml) | one |  |  |",
		"| `bug` | P2 | `gateway/x.go` | why | B-01 |",
		"| gateway | it broke | B-01 | abc1234 | `bin/stormproof mutants --id bug` |",
		"| harness | it lied | gate | def5678 | `git worktree add ../before def5678~1` |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Index(page, "## a") > strings.Index(page, "## b") {
		t.Error("categories are not in order")
	}
}

func TestLedgerRefusesAnEntryThatIsNotWhole(t *testing.T) {
	const whole = "- {in: gateway, what: w, by: [STO-01], mended: abc}\n"
	for name, tc := range map[string]struct{ text, said string }{
		"a whole one is taken":          {whole, ""},
		"an unknown field is refused":   {"- {in: gateway, what: w, by: [STO-01], mended: abc, blame: me}\n", "blame"},
		"a part that is neither is":     {"- {in: moon, what: w, by: [STO-01], mended: abc}\n", "entry 1"},
		"one that nobody found is":      {whole + "- {in: gateway, what: w, mended: abc}\n", "entry 2"},
		"one that is not mended is not": {"- {in: gateway, what: w, by: [STO-01]}\n", "entry 1"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.yaml")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Ledger(path)
			if (err == nil) != (tc.said == "") || err != nil && !strings.Contains(err.Error(), tc.said) {
				t.Errorf("got %v, want %q", err, tc.said)
			}
		})
	}
}
