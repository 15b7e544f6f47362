package scenario

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzAFileIsReadOrRefused feeds whatever a keyboard may produce: a file becomes a scenario, or
// problems that point into it, and never a panic. To look for more than the known mistakes:
// go test -fuzz . -fuzztime 1m ./harness/scenario.
func FuzzAFileIsReadOrRefused(f *testing.F) {
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	catalogue, err := Files("../../scenarios")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, catalogue...) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("testdata/mistakes/sto-99-x.yaml", []byte(text))
		var problems Problems
		switch {
		case err == nil:
			problems = Lint([]*Scenario{s}, nil)
		case !errors.As(err, &problems) || len(problems) == 0:
			t.Fatalf("no problem, but the error %v", err)
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range problems {
			own := strings.HasPrefix(filepath.Base(p.File), "sto-99-x")
			if p.Line < 1 || p.Col < 1 || own && p.Line > lines || p.Message == "" {
				t.Errorf("%q of %d lines: %s", text, lines, p.Error())
			}
		}
	})
}
