package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheExamplesInTheDocsAreScenariosThatLint takes the complete scenarios out of TESTING.md.
func TestTheExamplesInTheDocsAreScenariosThatLint(t *testing.T) {
	found := 0
	for _, example := range yamlOf(t, "../../TESTING.md") {
		id, is := strings.CutPrefix(example, "id: ")
		if !is {
			continue
		}
		found++
		id, _, _ = strings.Cut(id, "\n")
		path := filepath.Join(t.TempDir(), strings.ToLower(id)+"-x.yaml")
		if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if problems := Lint([]*Scenario{s}, nil); len(problems) > 0 {
			t.Error(problems)
		}
	}
	if found != 2 {
		t.Errorf("found %d complete scenarios in TESTING.md, want 2", found)
	}
}

// TestTheFragmentInTheDocsIsUsable takes the fragment out of TESTING.md and uses it twice.
func TestTheFragmentInTheDocsIsUsable(t *testing.T) {
	for _, example := range yamlOf(t, "../../TESTING.md") {
		if !strings.HasPrefix(example, "# scenarios/fragments/open-incident.yaml") {
			continue
		}
		dir := folder(t, map[string]string{"fragments/open-incident.yaml": example, "storm/sto-99-x.yaml": head + `steps:
  - use: {fragment: ../fragments/open-incident.yaml, with: {pod: api-1}}
  - use: {fragment: ../fragments/open-incident.yaml, with: {pod: api-2, severity: warning}}
`})
		s, err := Load(filepath.Join(dir, "storm", "sto-99-x.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if problems := Lint([]*Scenario{s}, nil); len(problems) > 0 || len(s.Steps) != 2 {
			t.Errorf("%d steps, %v", len(s.Steps), problems)
		}
		return
	}
	t.Error("there is no fragment in TESTING.md")
}

// yamlOf are the YAML blocks of a Markdown file.
func yamlOf(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for part := range strings.SplitSeq(string(b), "```yaml\n") {
		if example, _, fenced := strings.Cut(part, "```"); fenced {
			out = append(out, example)
		}
	}
	return out
}
