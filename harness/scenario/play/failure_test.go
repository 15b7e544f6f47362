package play

import "testing"

func TestCountsThatDifferAreToldInOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		want, got map[string]int
		said      string
	}{
		"equal counts say nothing":         {map[string]int{"201": 1}, map[string]int{"201": 1}, ""},
		"zero and absent are the same":     {map[string]int{"201": 1, "503": 0}, map[string]int{"201": 1}, ""},
		"too few, and one not foreseen":    {map[string]int{"201": 2}, map[string]int{"201": 1, "503": 1}, "201: expected 2, got 1; 503: expected 0, got 1"},
		"one that was foreseen is missing": {map[string]int{"none": 1}, nil, "none: expected 1, got 0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := countMismatch(tc.want, tc.got); got != tc.said {
				t.Errorf("got %q, want %q", got, tc.said)
			}
		})
	}
}
