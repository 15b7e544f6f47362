package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheExampleInTheDocsIsAScenarioThatLints takes the complete scenario out of TESTING.md.
func TestTheExampleInTheDocsIsAScenarioThatLints(t *testing.T) {
	b, err := os.ReadFile("../../TESTING.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for part := range strings.SplitSeq(string(b), "```yaml\n") {
		example, _, fenced := strings.Cut(part, "```")
		if !fenced || !strings.HasPrefix(example, "id: ") {
			continue
		}
		found++
		path := filepath.Join(t.TempDir(), "sto-31-two-pods.yaml")
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
	if found != 1 {
		t.Errorf("found %d complete scenarios in TESTING.md, want 1", found)
	}
}
