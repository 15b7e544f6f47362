// Package diff shows two values as a person compares them: the lines that differ, with a
// little around them, and long lines cut down to where they differ.
package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
	"sigs.k8s.io/yaml"
)

const (
	// longest is how many bytes of a line are shown.
	longest = 160
	// mostLines is how many lines of a diff are shown.
	mostLines = 60
)

// Text prints a value as YAML without a last newline; plain texts and numbers are printed
// as they are.
func Text(v any) string {
	switch t := v.(type) {
	case nil:
		return "null"
	case string:
		return t
	}
	b, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimRight(string(b), "\n")
}

// Unified is the unified diff of two texts, "" when they are equal. Lines that differ far
// from their beginning are shortened around the difference.
func Unified(expected, seen string) string {
	if expected == seen {
		return ""
	}
	expected, seen = shortenLines(expected, seen)
	out := strings.TrimRight(udiff.Unified("expected", "seen", expected+"\n", seen+"\n"), "\n")
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		lines[i] = Cut(line, 2*longest)
	}
	if over := len(lines) - mostLines; over > 0 {
		lines = append(lines[:mostLines], fmt.Sprintf(" … and %d more lines", over))
	}
	return strings.Join(lines, "\n")
}

// shortenLines shortens lines that stand at the same place in both texts and differ.
func shortenLines(expected, seen string) (string, string) {
	a, b := strings.Split(expected, "\n"), strings.Split(seen, "\n")
	if len(a) != len(b) {
		return expected, seen // which line answers which is not known
	}
	for i := range a {
		if a[i] != b[i] {
			a[i], b[i] = Around(a[i], b[i])
		}
	}
	return strings.Join(a, "\n"), strings.Join(b, "\n")
}

// Around cuts two long texts down to the part around their first difference.
func Around(a, b string) (string, string) {
	if len(a) <= longest && len(b) <= longest {
		return a, b
	}
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	from := max(0, same-longest/4)
	for from > 0 && !utf8.RuneStart(a[from]) {
		from--
	}
	window := func(s string) string {
		out := Cut(s[from:], longest)
		if from > 0 {
			out = fmt.Sprintf("…(%d bytes) ", from) + out
		}
		return out
	}
	return window(a), window(b)
}

// Cut shortens a text to about most bytes and says how much is gone.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + fmt.Sprintf(" …(%d bytes more)", len(s)-end)
}
