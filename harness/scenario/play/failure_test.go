package play

import (
	"strings"
	"testing"
)

func TestCountsThatDifferAreShownAsADiff(t *testing.T) {
	for name, tc := range map[string]struct {
		want, got map[string]int
		text      string
		diff      string // without its head
	}{
		"equal counts say nothing":     {map[string]int{"201": 1}, map[string]int{"201": 1}, "", ""},
		"zero and absent are the same": {map[string]int{"201": 1, "503": 0}, map[string]int{"201": 1}, "", ""},
		"too few, and one not foreseen": {map[string]int{"201": 2, "202": 1}, map[string]int{"201": 1, "202": 1, "503": 1},
			"answers: expected 201: 2, 202: 1, seen 201: 1, 202: 1, 503: 1", "-201: 2\n+201: 1\n 202: 1\n+503: 1"},
		"one that was foreseen is missing": {map[string]int{"none": 1}, nil, "answers: expected none: 1, seen none", "-none: 1\n+none"},
	} {
		t.Run(name, func(t *testing.T) {
			f := countsMismatch("answers", tc.want, tc.got)
			if f == nil {
				if tc.text != "" {
					t.Error("no failure")
				}
				return
			}
			_, body, _ := strings.Cut(f.diff, " @@\n")
			if f.text != tc.text || body != tc.diff {
				t.Errorf("got %q\n%s\nwant %q\n%s", f.text, body, tc.text, tc.diff)
			}
		})
	}
}
