package alert

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KubernetesEvent reads Events of core/v1 and events.k8s.io/v1: one, an array of them, or a
// list object as the API server and kubectl write it. Warnings are alerts; Normal events
// ask for nothing.
//
// An alert is named by the event's reason, and its labels say which object it is about, in
// the words that alerts of Prometheus use, so that both kinds are understood alike.
type KubernetesEvent struct{}

// Name implements Source.
func (KubernetesEvent) Name() string { return "kubernetes-event" }

// Parse implements Source.
func (KubernetesEvent) Parse(body []byte, limits Limits) (Batch, error) {
	items, version, err := eventItems(body, limits)
	if err != nil {
		return Batch{}, err
	}
	out := Batch{Alone: func(index int) json.RawMessage { return eventList(items[index], version) }}
	for i, raw := range items {
		e, bad := readEvent(raw, version)
		if bad == nil && e.kind == corev1.EventTypeNormal {
			out.Skipped = append(out.Skipped, i)
			continue
		}
		if bad == nil {
			bad = e.check()
		}
		var a Alert
		if bad == nil {
			a = e.alert()
			bad = limits.size(a)
		}
		if bad != nil {
			bad.Index = i
			out.Invalid = append(out.Invalid, *bad)
			continue
		}
		a.Index = i
		out.Alerts = append(out.Alerts, a)
	}
	return out, nil
}

// eventItems takes a payload apart. The items of a list may lack an apiVersion of their
// own: then it is the list's.
func eventItems(body []byte, limits Limits) (items []json.RawMessage, version string, err error) {
	if err := check(body, limits.Depth); err != nil {
		return nil, "", err
	}
	if body = bytes.TrimSpace(body); body[0] == '[' {
		items, err = elements(json.NewDecoder(bytes.NewReader(body)), "items", limits.Alerts)
		return items, "", err
	}
	var kind metav1.TypeMeta
	err = members(body, func(dec *json.Decoder, name string) error {
		switch name {
		case "kind":
			return decodeText(dec, name, &kind.Kind)
		case "apiVersion":
			return decodeText(dec, name, &kind.APIVersion)
		case "items":
			items, err = elements(dec, name, limits.Alerts)
			return err
		}
		var other json.RawMessage
		return dec.Decode(&other)
	})
	switch {
	case errors.Is(err, errNoObject):
		return nil, "", &FieldError{Field: "body", Detail: "is neither a JSON object nor a list"}
	case err != nil:
		return nil, "", err
	case kind.Kind == "Event":
		return []json.RawMessage{body}, "", nil
	case kind.Kind == "EventList":
		return items, kind.APIVersion, nil
	case kind.Kind == "List":
		return items, "", nil
	}
	return nil, "", &FieldError{Field: "kind", Detail: fmt.Sprintf("is %q; this endpoint takes an Event, an EventList or a List of Events, or an array", clip(kind.Kind))}
}

// eventList is a payload of one item, which may lack an apiVersion of its own.
func eventList(item json.RawMessage, version string) json.RawMessage {
	list := struct {
		metav1.TypeMeta
		Items []json.RawMessage `json:"items"`
	}{metav1.TypeMeta{APIVersion: version, Kind: "List"}, []json.RawMessage{item}}
	if version != "" {
		list.Kind = "EventList"
	}
	b, _ := json.Marshal(list) // it was JSON before
	return b
}

// event is what both API versions say, each in words of its own; fields names the ones that
// can be at fault in the words of the version.
type event struct {
	uid, kind, reason, action, message, component string
	object                                        corev1.ObjectReference
	count                                         int64
	last                                          time.Time
	fields                                        struct{ object, last string }
}

func readEvent(raw json.RawMessage, version string) (event, *Invalid) {
	meta := metav1.TypeMeta{APIVersion: version, Kind: "Event"}
	if err := json.Unmarshal(raw, &meta); err != nil {
		return event{}, notAnEvent(err)
	}
	if meta.Kind != "Event" {
		return event{}, &Invalid{Field: "kind", Detail: fmt.Sprintf("is %q; it must be \"Event\"", clip(meta.Kind))}
	}
	switch meta.APIVersion {
	case "v1":
		var e corev1.Event
		err := json.Unmarshal(raw, &e)
		return fromCore(e), notAnEvent(err)
	case "events.k8s.io/v1":
		var e eventsv1.Event
		err := json.Unmarshal(raw, &e)
		return fromEvents(e), notAnEvent(err)
	}
	return event{}, &Invalid{Field: "apiVersion", Detail: fmt.Sprintf("is %q; it must be \"v1\" or \"events.k8s.io/v1\"", clip(meta.APIVersion))}
}

func notAnEvent(err error) *Invalid {
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return &Invalid{Field: wrong.Field, Detail: "is a JSON " + wrong.Value + ", which is the wrong type"}
	}
	return &Invalid{Detail: "is not an Event: " + clip(err.Error())}
}

func fromCore(e corev1.Event) event {
	out := event{uid: string(e.UID), kind: e.Type, reason: e.Reason, action: e.Action, message: e.Message,
		component: cmp.Or(e.ReportingController, e.Source.Component), object: e.InvolvedObject, count: int64(e.Count),
		last: latest(e.LastTimestamp.Time, e.FirstTimestamp.Time, e.EventTime.Time)}
	if e.Series != nil {
		out.count, out.last = int64(e.Series.Count), latest(e.Series.LastObservedTime.Time, out.last)
	}
	out.fields.object, out.fields.last = "involvedObject", "lastTimestamp"
	return out
}

func fromEvents(e eventsv1.Event) event {
	out := event{uid: string(e.UID), kind: e.Type, reason: e.Reason, action: e.Action, message: e.Note,
		component: cmp.Or(e.ReportingController, e.DeprecatedSource.Component), object: e.Regarding, count: int64(e.DeprecatedCount),
		last: latest(e.DeprecatedLastTimestamp.Time, e.DeprecatedFirstTimestamp.Time, e.EventTime.Time)}
	if e.Series != nil {
		out.count, out.last = int64(e.Series.Count), latest(e.Series.LastObservedTime.Time, out.last)
	}
	out.fields.object, out.fields.last = "regarding", "eventTime"
	return out
}

func latest(times ...time.Time) time.Time {
	var out time.Time
	for _, t := range times {
		if t.After(out) {
			out = t
		}
	}
	return out
}

// check looks for what an alert cannot do without.
func (e event) check() *Invalid {
	switch {
	case e.kind != corev1.EventTypeWarning:
		return &Invalid{Field: "type", Detail: fmt.Sprintf("is %q; it must be \"Warning\" or \"Normal\"", clip(e.kind))}
	case e.reason == "":
		return &Invalid{Field: "reason", Detail: "is missing or empty; it names the alert"}
	case e.object.Kind == "":
		return &Invalid{Field: e.fields.object + ".kind", Detail: "is missing; it says what the event is about"}
	case e.object.Name == "":
		return &Invalid{Field: e.fields.object + ".name", Detail: "is missing; it says what the event is about"}
	case e.last.IsZero():
		return &Invalid{Field: e.fields.last, Detail: "is missing, as is every other time; it tells a new occurrence from a repeated delivery"}
	}
	return nil
}

// alert says the same in an alert's words. What the sender wrote is kept beside it, as
// annotations.
func (e event) alert() Alert {
	labels := map[string]string{LabelName: e.reason, "severity": "warning"}
	known := false
	for _, t := range targetLabels() {
		if t.kind == e.object.Kind {
			labels[t.label], known = e.object.Name, true
		}
	}
	if !known {
		labels["kind"], labels["name"] = e.object.Kind, e.object.Name
	}
	if e.object.Namespace != "" {
		labels["namespace"] = e.object.Namespace
	}
	if _, container, ok := strings.Cut(e.object.FieldPath, "ontainers{"); ok {
		labels["container"] = strings.TrimSuffix(container, "}")
	}
	annotations := map[string]string{"type": e.kind, "count": strconv.FormatInt(e.count, 10)}
	for name, value := range map[string]string{"message": e.message, "action": e.action, "component": e.component, "eventUID": e.uid} {
		if value != "" {
			annotations[name] = value
		}
	}
	return Alert{Source: KubernetesEvent{}.Name(), Labels: labels, Annotations: annotations, StartsAt: e.episode()}
}

// episode is the event's own time, made different for each UID and count. Two occurrences
// within a second carry the same time, because core/v1 tells whole seconds only; the
// milliseconds that it does not tell are free to keep them apart.
func (e event) episode() time.Time {
	if e.last.Nanosecond() != 0 {
		return e.last.UTC()
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(e.uid)) // a hash never returns an error
	return e.last.UTC().Add(time.Duration((int64(h.Sum32())+e.count)%1000) * time.Millisecond)
}
