package play

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// failure is a check that did not hold: a fault of the system, not of the harness.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }

func failf(format string, args ...any) error { return &failure{fmt.Sprintf(format, args...)} }

// IsFailure reports whether err says that the system under test misbehaved.
func IsFailure(err error) bool {
	var f *failure
	return errors.As(err, &f)
}

// countMismatch compares exact counts, "" when equal.
func countMismatch(want, got map[string]int) string {
	keys := map[string]bool{}
	for k := range want {
		keys[k] = true
	}
	for k := range got {
		keys[k] = true
	}
	var diff []string
	for k := range keys {
		if want[k] != got[k] {
			diff = append(diff, fmt.Sprintf("%s: expected %d, got %d", k, want[k], got[k]))
		}
	}
	sort.Strings(diff)
	return strings.Join(diff, "; ")
}
