package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Alertmanager reads the webhook payload of Alertmanager, version 4.
type Alertmanager struct{}

// Name implements Source.
func (Alertmanager) Name() string { return "alertmanager" }

// webhook is Alertmanager's payload, version 4. Alerts stay raw so that each is decoded alone.
type webhook struct {
	Version           json.RawMessage   `json:"version,omitempty"`
	CommonLabels      json.RawMessage   `json:"commonLabels,omitempty"`
	CommonAnnotations json.RawMessage   `json:"commonAnnotations,omitempty"`
	Alerts            []json.RawMessage `json:"alerts"`

	labels, annotations map[string]string
	// truncated is how many Alertmanager left out because of its max_alerts.
	truncated int
}

// Parse implements Source.
func (Alertmanager) Parse(body []byte, limits Limits) (Batch, error) {
	w, err := readWebhook(body, limits)
	if err != nil {
		return Batch{}, err
	}
	out := Batch{Truncated: w.truncated, Alone: w.alone}
	for i, raw := range w.Alerts {
		a, bad := parseOne(raw, w.labels, w.annotations, limits)
		if bad != nil {
			bad.Index = i
			out.Invalid = append(out.Invalid, *bad)
			continue
		}
		a.Index, a.Truncated = i, w.truncated
		out.Alerts = append(out.Alerts, a)
	}
	return out, nil
}

// alone is the payload with one alert only.
func (w webhook) alone(index int) json.RawMessage {
	w.Alerts = w.Alerts[index : index+1]
	b, _ := json.Marshal(w) // it was JSON before
	return b
}

// readWebhook takes the payload apart, one member at a time: what is too much is noticed
// before it is in memory. Of a member that is there twice the last counts.
func readWebhook(body []byte, limits Limits) (w webhook, err error) {
	if err := check(body, limits.Depth); err != nil {
		return w, err
	}
	var bad *Invalid
	wrong := members(body, func(dec *json.Decoder, name string) error {
		if name == "alerts" {
			w.Alerts, err = elements(dec, name, limits.Alerts)
			return err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		switch name {
		case "version":
			w.Version = raw
			return checkVersion(raw)
		case "truncatedAlerts":
			if json.Unmarshal(raw, &w.truncated) != nil || w.truncated < 0 {
				return &FieldError{Field: name, Detail: "is " + clip(string(raw)) + "; it must be a number of alerts"}
			}
		case "commonLabels":
			w.CommonLabels = raw
			w.labels, bad = stringMap(name, raw, limits)
		case "commonAnnotations":
			w.CommonAnnotations = raw
			w.annotations, bad = stringMap(name, raw, limits)
		}
		if bad != nil {
			return &FieldError{Field: bad.Field, Detail: bad.Detail}
		}
		return nil
	})
	if errors.Is(wrong, errNoObject) {
		wrong = &FieldError{Field: "body", Detail: "is no JSON object; it must be Alertmanager's webhook"}
	}
	return w, wrong
}

func checkVersion(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" || string(raw) == `"4"` {
		return nil
	}
	return &FieldError{Field: "version", Detail: fmt.Sprintf(
		"is %s; this endpoint takes version \"4\" of Alertmanager's webhook", clip(string(raw)))}
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
	if a.Labels, bad = merged("labels", labels, r.Labels, limits); bad != nil {
		return a, bad
	}
	if a.Annotations, bad = merged("annotations", annotations, r.Annotations, limits); bad != nil {
		return a, bad
	}
	if bad = limits.size(a); bad != nil {
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
func merged(field string, base map[string]string, raw json.RawMessage, limits Limits) (map[string]string, *Invalid) {
	own, bad := stringMap(field, raw, limits)
	if bad != nil {
		return nil, bad
	}
	out := make(map[string]string, len(base)+len(own))
	maps.Copy(out, base)
	maps.Copy(out, own)
	return out, limits.number(field, len(out))
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
