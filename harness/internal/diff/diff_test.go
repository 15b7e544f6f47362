package diff

import (
	"strings"
	"testing"
)

func TestUnifiedShowsWhatDiffers(t *testing.T) {
	for name, c := range map[string]struct{ expected, seen, want string }{
		"equal texts": {"a", "a", ""},
		"one line of three": {Text(map[string]int{"201": 2, "202": 1}), Text(map[string]int{"201": 1, "202": 1, "503": 1}),
			"--- expected\n+++ seen\n@@ -1,2 +1,3 @@\n-\"201\": 2\n+\"201\": 1\n \"202\": 1\n+\"503\": 1"},
		"numbers": {Text(2), Text(1), "--- expected\n+++ seen\n@@ -1 +1 @@\n-2\n+1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Unified(c.expected, c.seen); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestLongValuesAreShortenedAroundTheDifference(t *testing.T) {
	long := strings.Repeat("x", 5000)
	got := Unified("log: "+long+"A"+long, "log: "+long+"B"+long)
	if len(got) > 800 || !strings.Contains(got, "xA") || !strings.Contains(got, "xB") || !strings.Contains(got, "bytes more") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

func TestAnEndlessDiffEndsWithACount(t *testing.T) {
	got := Unified(strings.Repeat("a\n", 500), strings.Repeat("b\n", 400))
	if lines := strings.Count(got, "\n"); lines > mostLines || !strings.Contains(got, "more lines") {
		t.Errorf("%d lines: %s", lines, got)
	}
}

func TestCutKeepsRunesWhole(t *testing.T) {
	if got := Cut("ééé", 3); got != "é …(4 bytes more)" {
		t.Error(got)
	}
}
