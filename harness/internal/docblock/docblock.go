// Package docblock keeps those blocks of a Markdown file true that a program can write. A block
// stands between two comments, which name it:
//
//	<!-- steps: begin; written by make generate -->
//	<!-- steps: end -->
//
// A test compares a block with what it should hold; make generate runs the same test with
// UPDATE_GOLDEN=1, which writes it.
package docblock

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Compare fails the test when the block of a file holds something else.
func Compare(t *testing.T, path, name, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, got, after, err := split(string(b), name)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	diff := cmp.Diff(got, want)
	switch {
	case diff == "":
	case os.Getenv("UPDATE_GOLDEN") == "":
		t.Errorf("%s shows something else for %s (-file +now); type: make generate\n%s", path, name, diff)
	default:
		if err := os.WriteFile(path, []byte(before+want+after), 0o644); err != nil { //nolint:gosec // documentation is for everybody
			t.Fatal(err)
		}
	}
}

// split cuts a text around what a block holds.
func split(text, name string) (before, inside, after string, err error) {
	begin, end := "<!-- "+name+": begin; written by make generate -->\n", "<!-- "+name+": end -->"
	before, rest, begins := strings.Cut(text, begin)
	inside, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return "", "", "", fmt.Errorf("no block between %q and %q", begin, end)
	}
	return before + begin, inside, end + after, nil
}
