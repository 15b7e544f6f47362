package alert_test

import (
	"errors"
	"testing"

	"github.com/stormproof/stormproof/gateway/alert"
)

// FuzzSources: whatever is posted, an error is one of the three kinds that have an answer, and
// otherwise every index is accounted for exactly once, and the limits hold.
func FuzzSources(f *testing.F) {
	for _, body := range []string{`{"alerts":[` + good + `,7,{"labels":{}}],"truncatedAlerts":1}`, coreEvent, "[" + newEvent + "]",
		`{"kind":"EventList","apiVersion":"v1","items":[{"type":"Normal"},null]}`, `{"kind":"List","items":[[]]}`, "", "null", `"\ud800"`} {
		f.Add([]byte(body))
	}
	id, limits := alert.Identity{Mode: alert.ByLabels}, alert.Limits{Depth: 50, Alerts: 3, Labels: 8, LabelBytes: 10000, NameBytes: 100}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, source := range alert.Sources() {
			b, err := source.Parse(body, limits)
			var syntax *alert.SyntaxError
			var field *alert.FieldError
			var depth *alert.DepthError
			if err != nil {
				if !errors.As(err, &syntax) && !errors.As(err, &field) && !errors.As(err, &depth) {
					t.Errorf("%s: an error without an answer: %v", source.Name(), err)
				}
				continue
			}
			if b.Len() > limits.Alerts {
				t.Errorf("%s: %d alerts, %d are allowed", source.Name(), b.Len(), limits.Alerts)
			}
			times := make([]int, b.Len())
			for _, a := range b.Alerts {
				times[a.Index]++
				if len(a.Labels) > limits.Labels || len(a.Annotations) > limits.Labels {
					t.Errorf("%s: %d labels and %d annotations, %d are allowed", source.Name(), len(a.Labels), len(a.Annotations), limits.Labels)
				}
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
