package alert_test

import (
	"errors"
	"testing"

	"github.com/stormproof/stormproof/gateway/alert"
)

// FuzzSources: whatever is posted, an error is one of the three kinds that have an answer, and
// otherwise every index is accounted for exactly once.
func FuzzSources(f *testing.F) {
	for _, body := range []string{`{"alerts":[` + good + `,7,{"labels":{}}],"truncatedAlerts":1}`, coreEvent, "[" + newEvent + "]",
		`{"kind":"EventList","apiVersion":"v1","items":[{"type":"Normal"},null]}`, `{"kind":"List","items":[[]]}`, "", "null", `"\ud800"`} {
		f.Add([]byte(body))
	}
	id := alert.Identity{Mode: alert.ByLabels}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, source := range alert.Sources() {
			b, err := source.Parse(body, alert.Limits{Depth: 50, Alerts: 100, Labels: 100, LabelBytes: 10000, NameBytes: 100})
			var syntax *alert.SyntaxError
			var field *alert.FieldError
			var depth *alert.DepthError
			if err != nil {
				if !errors.As(err, &syntax) && !errors.As(err, &field) && !errors.As(err, &depth) {
					t.Errorf("%s: an error without an answer: %v", source.Name(), err)
				}
				continue
			}
			times := make([]int, b.Len())
			for _, a := range b.Alerts {
				times[a.Index]++
				if a.Name() == "" || a.StartsAt.IsZero() || a.Source != source.Name() || a.Target().Name == "" || len(id.Fingerprint(a)) != 64 {
					t.Errorf("%s: taken as it should not be: %+v", source.Name(), a)
				}
			}
			for _, bad := range b.Invalid {
				times[bad.Index]++
			}
			for _, i := range b.Skipped {
				times[i]++
			}
			for i, n := range times {
				if n != 1 {
					t.Errorf("%s: index %d is accounted for %d times", source.Name(), i, n)
				}
			}
		}
	})
}
