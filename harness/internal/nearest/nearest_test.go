package nearest

import "testing"

func TestHintNamesTheNearestElseAll(t *testing.T) {
	fields := []string{"send", "storm", "answers"}
	for got, want := range map[string]string{
		"sned":    `did you mean "send"?`,
		"answrs":  `did you mean "answers"?`,
		"STORM":   `did you mean "storm"?`,
		"zzz":     "valid here: answers, send, storm",
		"":        "valid here: answers, send, storm",
		"answers": `did you mean "answers"?`,
	} {
		if hint := Hint(got, fields); hint != want {
			t.Errorf("Hint(%q) = %q, want %q", got, hint, want)
		}
	}
	if hint := Hint("x", nil); hint != "" {
		t.Errorf("with nothing to choose from: %q", hint)
	}
}

func TestDistanceCountsLetters(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := Distance(tc.a, tc.b); got != tc.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
