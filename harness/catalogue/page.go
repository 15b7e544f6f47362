package catalogue

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stormproof/stormproof/harness/mutation"
	"github.com/stormproof/stormproof/harness/scenario"
)

// Page is scenarios/README.md. Files of scenarios are relative to the repository's root.
func Page(list []*scenario.Scenario, mutants []mutation.Mutant, ledger []Defect) string {
	var b strings.Builder
	b.WriteString("# The catalogue\n\nMade by `make generate` from the scenario files, `fixtures/mutants` and `fixtures/ledger.yaml`; a test keeps it true.\n")
	fmt.Fprintf(&b, "How to write a scenario: [TESTING.md](../TESTING.md).\n\n%d scenarios, %d seeded bugs. All promises are judged after every scenario; the table names those it aims at.\n",
		len(list), len(mutants))
	kills := map[string][]string{}
	for _, m := range mutants {
		for _, id := range m.KilledBy {
			kills[id] = append(kills[id], "`"+m.Name+"`")
		}
	}
	for _, category := range categories(list) {
		rows := slices.DeleteFunc(slices.Clone(list), func(s *scenario.Scenario) bool { return s.Category != category })
		fmt.Fprintf(&b, "\n## %s (%d)\n\n| id | what must hold | promises | seeded bugs that it kills |\n|---|---|---|---|\n", category, len(rows))
		for _, s := range rows {
			fmt.Fprintf(&b, "| [%s](%s) | %s | %s | %s |\n", s.ID, link(s.File), cell(s.Title), strings.Join(s.Promises, " "), strings.Join(kills[s.ID], ", "))
		}
	}
	b.WriteString(bugs(mutants))
	b.WriteString(defects(ledger))
	return b.String()
}

// bugs lists what each seeded bug would be for a programmer.
func bugs(mutants []mutation.Mutant) string {
	var b strings.Builder
	b.WriteString("\n## Seeded bugs\n\n`make mutants` puts each into the gateway by a build overlay, and its scenarios must turn red.\n\n" +
		"| seeded bug | breaks | in | what somebody would have done wrong | killed by |\n|---|---|---|---|---|\n")
	for _, m := range mutants {
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", m.Name, m.Promise, m.File, cell(m.Why), strings.Join(m.KilledBy, " "))
	}
	return b.String()
}

func defects(ledger []Defect) string {
	var b strings.Builder
	b.WriteString("\n## Ledger of defects\n\nWhat running scenarios, the model and the gate have found, and which commit mended it. A seeded bug brings the defect\n" +
		"back; where there is none, the tree before the commit has it: run the scenario there.\n\n" +
		"| in | what was wrong | found by | mended in | see it again |\n|---|---|---|---|---|\n")
	for _, d := range ledger {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` |\n", d.In, cell(d.What), strings.Join(d.By, " "), d.Mended, d.Again())
	}
	return b.String()
}

// categories in the order of their names.
func categories(list []*scenario.Scenario) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s.Category) {
			out = append(out, s.Category)
		}
	}
	slices.Sort(out)
	return out
}

// link is relative to the folder of the page.
func link(file string) string {
	return strings.TrimPrefix(filepath.ToSlash(file), "scenarios/")
}

// cell keeps a text inside of its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
