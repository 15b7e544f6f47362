// Package alert turns what senders post into []Alert, and gives each alert its identity.
//
// Start with Source, of which there is one for each kind of sender. Alerts of one payload
// are independent: one that breaks the contract becomes an Invalid, with its index and the
// field at fault, and never blocks its neighbours. Only a payload that cannot be read at
// all is an error (a *SyntaxError with a position, or a *FieldError).
//
// The identity of an alert is its Fingerprint: a hash over those labels that say what is
// broken, and none that say who noticed or how bad it is. Two alerts with the same
// fingerprint are the same incident.
package alert

import "time"

// LabelName is the label that names an alert; every alert must have it.
const LabelName = "alertname"

// Alert is one alert of a payload, with the payload's common labels and annotations
// already merged in.
type Alert struct {
	// Index in the payload's list, from 0.
	Index       int
	Source      string
	Labels      map[string]string
	Annotations map[string]string
	StartsAt    time.Time
	// EndsAt is zero where the sender gave none.
	EndsAt       time.Time
	Resolved     bool
	GeneratorURL string
	// Truncated is how many alerts the sender left out of the payload that this one came in.
	Truncated int
}

// Name is the alert's name; never empty in a parsed alert.
func (a Alert) Name() string { return a.Labels[LabelName] }

// Severity is the label "severity", or "unknown".
func (a Alert) Severity() string {
	if s := a.Labels["severity"]; s != "" {
		return s
	}
	return "unknown"
}

// Invalid says why one alert of a payload was refused.
type Invalid struct {
	// Index in the payload's list, from 0.
	Index int `json:"index"`
	// Field as a path inside the alert, such as "labels.alertname".
	Field string `json:"field"`
	// Detail says what is wrong and what would be right.
	Detail string `json:"detail"`
}
