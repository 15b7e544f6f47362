package docblock

import "testing"

func TestSplitKeepsTheMarksOutside(t *testing.T) {
	const text = "a\n<!-- x: begin; written by make generate -->\nold\n<!-- x: end -->\nz\n"
	before, inside, after, err := split(text, "x")
	if err != nil || inside != "old\n" || before+inside+after != text {
		t.Errorf("got %q, %q, %q, %v", before, inside, after, err)
	}
	if _, _, _, err := split(text, "y"); err == nil {
		t.Error("a block that is not there must be told")
	}
}
