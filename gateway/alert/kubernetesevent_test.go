package alert_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// The same warning in the words of both API versions.
const (
	coreEvent = `{"apiVersion":"v1","kind":"Event","metadata":{"uid":"u1","namespace":"shop","name":"api-1.17"},"type":"Warning",` +
		`"reason":"BackOff","message":"Back-off restarting","count":3,"firstTimestamp":"2026-01-02T03:00:00Z","lastTimestamp":"2026-01-02T03:04:05Z",` +
		`"involvedObject":{"kind":"Pod","namespace":"shop","name":"api-1","fieldPath":"spec.containers{app}"},"source":{"component":"kubelet","host":"n1"}}`
	newEvent = `{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"uid":"u1","namespace":"shop","name":"api-1.17"},"type":"Warning",` +
		`"reason":"BackOff","note":"Back-off restarting","deprecatedCount":3,"deprecatedLastTimestamp":"2026-01-02T03:04:05Z","eventTime":null,` +
		`"regarding":{"kind":"Pod","namespace":"shop","name":"api-1","fieldPath":"spec.containers{app}"},"deprecatedSource":{"component":"kubelet","host":"n1"}}`
)

func parseEvents(t *testing.T, body string) alert.Batch {
	t.Helper()
	b, err := alert.KubernetesEvent{}.Parse([]byte(body), alert.Limits{Depth: 16, Alerts: 3, Labels: 16, LabelBytes: 1000, NameBytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBothVersionsOfAnEventAreTheSameAlert(t *testing.T) {
	core, events := parseEvents(t, coreEvent), parseEvents(t, newEvent)
	core.Alone, events.Alone = nil, nil
	if d := cmp.Diff(core, events); d != "" {
		t.Error(d)
	}
	a := core.Alerts[0]
	want := map[string]string{"alertname": "BackOff", "severity": "warning", "namespace": "shop", "pod": "api-1", "container": "app"}
	if d := cmp.Diff(want, a.Labels); d != "" {
		t.Error(d)
	}
	raw := map[string]string{"type": "Warning", "count": "3", "message": "Back-off restarting", "component": "kubelet", "eventUID": "u1"}
	if d := cmp.Diff(raw, a.Annotations); d != "" {
		t.Error(d)
	}
	if a.Source != "kubernetes-event" || a.Resolved || a.StartsAt.Truncate(time.Second) != time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) {
		t.Errorf("%+v", a)
	}
}

func TestEventsComeAloneInArraysAndInLists(t *testing.T) {
	bare := `{"metadata":{"uid":"u2"},"type":"Warning","reason":"Failed","lastTimestamp":"2026-01-02T03:04:05Z","involvedObject":{"kind":"Node","name":"n1"}}`
	for name, body := range map[string]string{
		"alone":                             coreEvent,
		"in an array":                       "[" + coreEvent + "]",
		"in kubectl's list":                 `{"apiVersion":"v1","kind":"List","items":[` + coreEvent + `]}`,
		"in the API server's list":          `{"apiVersion":"v1","kind":"EventList","items":[` + bare + `]}`,
		"in a list of the new API":          `{"apiVersion":"events.k8s.io/v1","kind":"EventList","items":[` + newEvent + `]}`,
		"in a list, saying its own version": `{"apiVersion":"v1","kind":"EventList","items":[` + newEvent + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if b := parseEvents(t, body); len(b.Alerts) != 1 || len(b.Invalid) != 0 {
				t.Errorf("%+v", b)
			}
		})
	}
}

func TestNormalEventsAreSkippedAndBadOnesNamedByIndex(t *testing.T) {
	without := func(change string) string {
		return `{"apiVersion":"v1","kind":"Event","type":"Warning","reason":"R","lastTimestamp":"2026-01-02T03:04:05Z","involvedObject":{"kind":"Pod","name":"p"},` + change + `}`
	}
	for name, tc := range map[string]struct{ event, field string }{
		"a type of its own":      {without(`"type":"Error"`), "type"},
		"no reason":              {without(`"reason":""`), "reason"},
		"an object of no kind":   {without(`"involvedObject":{"kind":"","name":"p"}`), "involvedObject.kind"},
		"an object of no name":   {without(`"involvedObject":{"kind":"Pod","name":""}`), "involvedObject.name"},
		"no time at all":         {without(`"lastTimestamp":null`), "lastTimestamp"},
		"a time that is none":    {without(`"lastTimestamp":"noon"`), ""},
		"a count that is a text": {without(`"count":"3"`), "count"},
		"another kind":           {without(`"kind":"Pod"`), "kind"},
		"another version":        {without(`"apiVersion":"v2"`), "apiVersion"},
		"a number":               {`7`, ""},
		"the new words at fault": {`{"apiVersion":"events.k8s.io/v1","kind":"Event","type":"Warning","reason":"R","regarding":{"kind":"Pod"}}`, "regarding.name"},
	} {
		t.Run(name, func(t *testing.T) {
			b := parseEvents(t, `[{"apiVersion":"v1","kind":"Event","type":"Normal","reason":"Pulled"},`+tc.event+`,`+coreEvent+`]`)
			if len(b.Skipped) != 1 || b.Skipped[0] != 0 || len(b.Alerts) != 1 || b.Alerts[0].Index != 2 {
				t.Errorf("neighbours: %+v", b)
			}
			if len(b.Invalid) != 1 || b.Invalid[0].Index != 1 || b.Invalid[0].Field != tc.field || b.Invalid[0].Detail == "" {
				t.Errorf("invalid: %+v, want index 1 and field %q", b.Invalid, tc.field)
			}
			if b.Len() != 3 {
				t.Errorf("%d of 3 are accounted for", b.Len())
			}
		})
	}
}

func TestAPayloadOfSomethingElseIsRefusedWhole(t *testing.T) {
	for name, tc := range map[string]struct{ body, field string }{
		"a pod":           {`{"apiVersion":"v1","kind":"Pod"}`, "kind"},
		"nothing":         {`null`, "body"},
		"a text":          {`"x"`, "body"},
		"items of a text": {`{"kind":"List","items":"x"}`, "items"},
		"too many":        {`[{},{},{},{}]`, "items"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alert.KubernetesEvent{}.Parse([]byte(tc.body), alert.Limits{Depth: 16, Alerts: 3})
			var field *alert.FieldError
			if !errors.As(err, &field) || field.Field != tc.field {
				t.Errorf("error %v, want field %q", err, tc.field)
			}
		})
	}
	var syntax *alert.SyntaxError
	if _, err := (alert.KubernetesEvent{}).Parse([]byte(`[{]`), alert.Limits{Depth: 16}); !errors.As(err, &syntax) {
		t.Errorf("error %v, want the position", err)
	}
}

func TestTheObjectOfAnEventIsTheAlertsTarget(t *testing.T) {
	for kind, want := range map[string]v1alpha1.Target{
		"Pod": {Kind: "Pod", Name: "x", Namespace: "shop"}, "Deployment": {Kind: "Deployment", Name: "x", Namespace: "shop"},
		"Job": {Kind: "Job", Name: "x", Namespace: "shop"}, "ReplicaSet": {Kind: "Unknown", Name: "R", Namespace: "shop"},
	} {
		b := parseEvents(t, `{"apiVersion":"v1","kind":"Event","type":"Warning","reason":"R","lastTimestamp":"2026-01-02T03:04:05Z",`+
			`"involvedObject":{"kind":"`+kind+`","namespace":"shop","name":"x"}}`)
		if d := cmp.Diff(want, b.Alerts[0].Target()); d != "" {
			t.Errorf("%s: %s", kind, d)
		}
		if labels := b.Alerts[0].Labels; kind == "ReplicaSet" && (labels["kind"] != "ReplicaSet" || labels["name"] != "x") {
			t.Errorf("an object of a kind without a label of its own is lost: %v", labels)
		}
	}
}

// TestAnOccurrenceIsAUIDAndACount: what is delivered again has the same episode, what
// happened again within the same second has another.
func TestAnOccurrenceIsAUIDAndACount(t *testing.T) {
	at := func(t *testing.T, uid string, count int) time.Time {
		return parseEvents(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"Event","metadata":{"uid":%q},"type":"Warning","reason":"R","count":%d,`+
			`"lastTimestamp":"2026-01-02T03:04:05Z","involvedObject":{"kind":"Pod","name":"p"}}`, uid, count)).Alerts[0].StartsAt
	}
	rapid.Check(t, func(rt *rapid.T) {
		uid := rapid.StringMatching(`[a-f0-9]{8}`).Draw(rt, "uid")
		a, b := rapid.IntRange(1, 500).Draw(rt, "a"), rapid.IntRange(1, 500).Draw(rt, "b")
		if (a == b) != at(t, uid, a).Equal(at(t, uid, b)) {
			rt.Fatalf("counts %d and %d of %s", a, b, uid)
		}
	})
	if at(t, "u1", 1).Equal(at(t, "u2", 1)) {
		t.Error("two events that happened in one second are one occurrence")
	}
	series := parseEvents(t, `{"apiVersion":"events.k8s.io/v1","kind":"Event","type":"Warning","reason":"R","eventTime":"2026-01-02T03:04:05.000001Z",`+
		`"series":{"count":9,"lastObservedTime":"2026-01-02T03:07:05.250000Z"},"regarding":{"kind":"Pod","name":"p"}}`).Alerts[0]
	if want := time.Date(2026, 1, 2, 3, 7, 5, 250e6, time.UTC); !series.StartsAt.Equal(want) || series.Annotations["count"] != "9" {
		t.Errorf("a series is as old and as often as it says last, got %+v", series)
	}
}
