// Package traffic makes the alerts that scenarios send, and sends them as Alertmanager
// does: same payload, same rule for what is tried again. Every request is written to the
// history before it leaves and every answer when it arrives, so that the judge sees what
// the wire saw.
//
// Payload builds a webhook body, Client sends it, Retrier repeats it as Alertmanager would,
// Alertmanager runs the real program and Tap stands between it and the gateway.
//
// For load, start with a Profile: a Generator turns it and a seed into the same requests
// every time. An Arrival says when they leave: an open loop at a rate, measured from the
// intended times so that a stalled server cannot hide behind requests that were not sent,
// or a closed loop. Load.Run sends them and returns a Result with Latencies. Load always
// ends by itself and goes to this machine only (GuardedTransport), or to networks that the
// run made.
package traffic

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

// Alert is one alert of a webhook.
type Alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
	// Malformed marks an alert that the receiver must refuse; it is not sent.
	Malformed bool `json:"-"`
}

// Payload is Alertmanager's webhook body, version 4.
// See https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
type Payload struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []Alert           `json:"alerts"`
}

// NewPayload wraps alerts as Alertmanager would; common labels are left for the caller.
func NewPayload(alerts []Alert) Payload {
	status := "resolved"
	for _, a := range alerts {
		if a.Status == "firing" {
			status = "firing"
		}
	}
	return Payload{Version: "4", GroupKey: "{}:{}", Status: status, Receiver: "stormproof",
		GroupLabels: map[string]string{}, CommonLabels: map[string]string{},
		CommonAnnotations: map[string]string{}, Alerts: alerts}
}

// Encode returns the JSON body.
func (p Payload) Encode() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encoding webhook payload: %w", err)
	}
	return b, nil
}

// Seen lists the payload's alerts as the history records them: with the common labels
// merged in, the alert's own value winning.
func (p Payload) Seen() []history.Alert {
	out := make([]history.Alert, len(p.Alerts))
	for i, a := range p.Alerts {
		labels := maps.Clone(p.CommonLabels)
		if labels == nil {
			labels = map[string]string{}
		}
		maps.Copy(labels, a.Labels)
		out[i] = history.Alert{Index: i, Labels: labels, StartsAt: a.StartsAt,
			Resolved: a.Status == "resolved", Malformed: a.Malformed}
	}
	return out
}
