package alert

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"
)

// Alertmanager reads the webhook payload of Alertmanager, version 4.
type Alertmanager struct{}

// Name implements Source.
func (Alertmanager) Name() string { return "alertmanager" }

// webhook is Alertmanager's payload, version 4. Alerts stay raw so that each is decoded
// alone, and common labels so that a wrong type there is reported as a field.
type webhook struct {
	Version           json.RawMessage   `json:"version,omitempty"`
	CommonLabels      json.RawMessage   `json:"commonLabels,omitempty"`
	CommonAnnotations json.RawMessage   `json:"commonAnnotations,omitempty"`
	Alerts            []json.RawMessage `json:"alerts"`
	// TruncatedAlerts is how many Alertmanager left out because of its max_alerts.
	TruncatedAlerts int `json:"truncatedAlerts,omitempty"`
}

// Parse implements Source.
func (Alertmanager) Parse(body []byte, limits Limits) (Batch, error) {
	var w webhook
	if err := decode(body, &w); err != nil {
		return Batch{}, err
	}
	if err := checkVersion(w.Version); err != nil {
		return Batch{}, err
	}
	if err := limits.check("alerts", len(w.Alerts)); err != nil {
		return Batch{}, err
	}
	if w.TruncatedAlerts < 0 {
		return Batch{}, &FieldError{Field: "truncatedAlerts", Detail: "is negative"}
	}
	labels, err := common("commonLabels", w.CommonLabels)
	if err != nil {
		return Batch{}, err
	}
	annotations, err := common("commonAnnotations", w.CommonAnnotations)
	if err != nil {
		return Batch{}, err
	}
	out := Batch{Truncated: w.TruncatedAlerts, Alone: w.alone}
	for i, raw := range w.Alerts {
		a, bad := parseOne(raw, labels, annotations, limits)
		if bad != nil {
			bad.Index = i
			out.Invalid = append(out.Invalid, *bad)
			continue
		}
		a.Index, a.Truncated = i, w.TruncatedAlerts
		out.Alerts = append(out.Alerts, a)
	}
	return out, nil
}

// alone is the payload with one alert only.
func (w webhook) alone(index int) json.RawMessage {
	w.Alerts, w.TruncatedAlerts = w.Alerts[index:index+1], 0
	b, _ := json.Marshal(w) // it was JSON before
	return b
}

// check refuses a payload with too many alerts.
func (l Limits) check(field string, n int) error {
	if n <= l.Alerts {
		return nil
	}
	return &FieldError{Field: field, Detail: fmt.Sprintf(
		"holds %d alerts; at most %d are taken in one request (limits.alerts)", n, l.Alerts)}
}

// decode reads exactly one JSON value.
func decode(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return &FieldError{Field: cmp.Or(wrong.Field, "body"), Detail: "is a JSON " + wrong.Value + ", which is the wrong type"}
		}
		return newSyntaxError(body, err)
	}
	end := dec.InputOffset()
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return positioned(body, end, "there is more after the end of the JSON value")
	}
	return nil
}

func checkVersion(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" || string(raw) == `"4"` {
		return nil
	}
	return &FieldError{Field: "version", Detail: fmt.Sprintf(
		"is %s; this endpoint takes version \"4\" of Alertmanager's webhook", clip(string(raw)))}
}

func common(field string, raw json.RawMessage) (map[string]string, error) {
	m, bad := stringMap(field, raw)
	if bad != nil {
		return nil, &FieldError{Field: bad.Field, Detail: bad.Detail}
	}
	return m, nil
}

// stringMap reads an object whose values are all strings; absent and null are empty.
func stringMap(field string, raw json.RawMessage) (map[string]string, *Invalid) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, &Invalid{Field: field, Detail: "is not an object of strings"}
	}
	out := make(map[string]string, len(values))
	for k, v := range values {
		var s *string
		if err := json.Unmarshal(v, &s); err != nil || s == nil {
			return nil, &Invalid{Field: field + "." + clip(k), Detail: "is " + clip(string(v)) + "; it must be a string"}
		}
		out[k] = *s
	}
	return out, nil
}

// rawAlert is one element of "alerts"; fields stay raw so that the one at fault is named.
type rawAlert struct {
	Status       json.RawMessage `json:"status"`
	Labels       json.RawMessage `json:"labels"`
	Annotations  json.RawMessage `json:"annotations"`
	StartsAt     json.RawMessage `json:"startsAt"`
	EndsAt       json.RawMessage `json:"endsAt"`
	GeneratorURL json.RawMessage `json:"generatorURL"`
}

func parseOne(raw json.RawMessage, labels, annotations map[string]string, limits Limits) (Alert, *Invalid) {
	var r rawAlert
	if err := json.Unmarshal(raw, &r); err != nil || string(raw) == "null" {
		return Alert{}, &Invalid{Detail: "is not an object"}
	}
	a := Alert{Source: Alertmanager{}.Name()}
	var bad *Invalid
	if a.Labels, bad = merged("labels", labels, r.Labels, limits.Labels); bad != nil {
		return a, bad
	}
	if a.Annotations, bad = merged("annotations", annotations, r.Annotations, limits.Labels); bad != nil {
		return a, bad
	}
	if a.Name() == "" {
		return a, &Invalid{Field: "labels." + LabelName, Detail: "is missing or empty; every alert needs a name"}
	}
	if a.Resolved, bad = status(r.Status); bad != nil {
		return a, bad
	}
	if a.StartsAt, bad = instant("startsAt", r.StartsAt); bad != nil {
		return a, bad
	}
	if a.StartsAt.IsZero() {
		return a, &Invalid{Field: "startsAt", Detail: "is missing; it tells a new firing from a repeated delivery"}
	}
	if a.EndsAt, bad = instant("endsAt", r.EndsAt); bad != nil {
		return a, bad
	}
	a.GeneratorURL, bad = text("generatorURL", r.GeneratorURL)
	return a, bad
}

// merged lays the alert's own values over the common ones.
func merged(field string, base map[string]string, raw json.RawMessage, limit int) (map[string]string, *Invalid) {
	own, bad := stringMap(field, raw)
	if bad != nil {
		return nil, bad
	}
	out := make(map[string]string, len(base)+len(own))
	maps.Copy(out, base)
	maps.Copy(out, own)
	if len(out) > limit {
		return nil, &Invalid{Field: field, Detail: fmt.Sprintf("holds %d entries; at most %d are taken (limits.labels)", len(out), limit)}
	}
	return out, nil
}

func status(raw json.RawMessage) (resolved bool, bad *Invalid) {
	s, bad := text("status", raw)
	switch {
	case bad != nil:
		return false, bad
	case s == "" || s == "firing":
		return false, nil
	case s == "resolved":
		return true, nil
	}
	return false, &Invalid{Field: "status", Detail: fmt.Sprintf("is %q; it must be \"firing\" or \"resolved\"", clip(s))}
}

// text reads an optional string.
func text(field string, raw json.RawMessage) (string, *Invalid) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", &Invalid{Field: field, Detail: "is " + clip(string(raw)) + "; it must be a string"}
	}
	return s, nil
}

// instant reads an optional RFC 3339 time. Year 1 means "not set" in Alertmanager's payloads.
func instant(field string, raw json.RawMessage) (time.Time, *Invalid) {
	s, bad := text(field, raw)
	if bad != nil || s == "" {
		return time.Time{}, bad
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, &Invalid{Field: field, Detail: fmt.Sprintf("is %q; it must be an RFC 3339 time such as 2026-01-02T15:04:05Z", clip(s))}
	}
	return t.UTC(), nil
}

// clip shortens what a sender wrote before it is repeated in an answer.
func clip(s string) string {
	const longest = 80
	r := []rune(s)
	if len(r) <= longest {
		return s
	}
	return string(r[:longest]) + "..."
}
