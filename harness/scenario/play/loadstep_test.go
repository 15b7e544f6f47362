package play

import (
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/traffic"
)

func TestPercentilesAreBounded(t *testing.T) {
	l := traffic.NewLatencies()
	for i := range 100 {
		l.Record(time.Duration(i+1) * time.Millisecond)
	}
	for name, c := range map[string]struct {
		bound time.Duration
		fails bool
	}{
		"p50": {51 * time.Millisecond, false},
		"p90": {89 * time.Millisecond, true},
		"p99": {100 * time.Millisecond, false},
		"max": {99 * time.Millisecond, true},
	} {
		s := &scenario.LoadStep{ID: "a", AnswersWithin: map[string]scenario.Duration{name: scenario.Duration(c.bound)}}
		if err := withinPercentiles(s, l); (err != nil) != c.fails || err != nil && !IsFailure(err) {
			t.Errorf("%s within %s: %v, want a failure: %v", name, c.bound, err, c.fails)
		}
	}
}
