package scenario

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryMistakeOfAnAuthorIsToldLikeThis holds each message against its golden file. A
// mistake is a file, or a folder where it takes several. To write the golden files again:
// UPDATE_GOLDEN=1 go test ./harness/scenario -run Mistake; then read each one as a newcomer would.
func TestEveryMistakeOfAnAuthorIsToldLikeThis(t *testing.T) {
	entries, err := filepath.Glob("testdata/mistakes/*")
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^[^ :]+:[1-9][0-9]*:[1-9][0-9]*: .+; .+`)
	found := 0
	for _, path := range entries {
		if filepath.Ext(path) == ".golden" || filepath.Base(path) == FragmentsDir {
			continue
		}
		found++
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			got := strings.ReplaceAll(said(t, path), "testdata/mistakes/", "") + "\n"
			for line := range strings.Lines(got) {
				if !form.MatchString(line) {
					t.Errorf("not of the form file:line:col: what; what to type instead:\n%s", line)
				}
			}
			golden := "testdata/mistakes/" + name + ".golden"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if found < 35 {
		t.Errorf("found %d mistakes, want at least 35", found)
	}
}

// said is what lint says of a file or a folder.
func said(t *testing.T, path string) string {
	t.Helper()
	files, err := Files(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []*Scenario
	var problems Problems
	for _, file := range files {
		s, err := Load(file)
		var wrong Problems
		switch {
		case errors.As(err, &wrong):
			problems = append(problems, wrong...)
		case err != nil:
			t.Fatal(err)
		default:
			list = append(list, s)
		}
	}
	problems = append(problems, Lint(list, []string{"hold-ignored", "name-not-deterministic"})...)
	if len(problems) == 0 {
		t.Fatal("nothing is said")
	}
	return problems.Error()
}
