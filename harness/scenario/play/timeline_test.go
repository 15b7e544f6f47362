package play

import (
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/report"
)

func TestATimelineOfManyRequestsIsASampleThatKnowsTheTotal(t *testing.T) {
	for name, tc := range map[string]struct {
		all, refused int
		drawn, wrong int
	}{
		"few":            {300, 30, 300, 30},
		"many":           {1000, 30, 400, 30},
		"many refused":   {1000, 600, 400, 200},
		"all refused":    {1000, 1000, 400, 400},
		"nearly refused": {1000, 900, 400, 300},
	} {
		t.Run(name, func(t *testing.T) {
			events := []history.Event{{Fault: &history.Fault{ID: "cut", Change: "armed"}}}
			for i := range tc.all {
				a := &history.Answer{ID: "a", Status: 201}
				if (i+1)*tc.refused/tc.all > i*tc.refused/tc.all {
					a.Status = 503
				}
				events = append(events, history.Event{At: time.Duration(i+1) * time.Millisecond, Answer: a})
			}
			out := report.Scenario{Requests: 7, Refused: 7} // of an earlier round
			timeline(events, &out)
			if out.Requests != tc.all || out.Refused != tc.refused {
				t.Errorf("%d requests, %d refused; want %d and %d", out.Requests, out.Refused, tc.all, tc.refused)
			}
			drawn, wrong, last := 0, 0, 0.0
			for _, m := range out.Marks {
				if m.AtMS < last {
					t.Fatalf("%v comes after %v ms", m, last)
				}
				last = m.AtMS
				if m.Kind != "request" {
					continue
				}
				drawn++
				if !m.OK {
					wrong++
				}
			}
			if drawn != tc.drawn || wrong != tc.wrong || len(out.Marks) != drawn+1 {
				t.Errorf("%d drawn, %d of them refused, %d marks; want %d and %d and the fault", drawn, wrong, len(out.Marks), tc.drawn, tc.wrong)
			}
			if last < float64(tc.all)*0.98 {
				t.Errorf("the sample ends at %v ms of %d", last, tc.all)
			}
		})
	}
}
