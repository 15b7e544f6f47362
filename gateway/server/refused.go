package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/panics"
	"github.com/stormproof/stormproof/gateway/remediation"
)

// Reasons of alerts that neither Redis nor Kubernetes was asked about.
const (
	malformedAlert = "malformed"
	unknownReason  = "unknown"
)

// refusalReasons are all that an alert may be refused for.
func refusalReasons() []string {
	out := []string{malformedAlert, unknownReason, intake.RedisUnavailable, intake.BatchUnfinished}
	for _, r := range remediation.Reasons() {
		out = append(out, string(r))
	}
	return out
}

// titles of the problems that have a type of their own; any other of Kubernetes is
// "kubernetes-unavailable".
var titles = map[remediation.Reason]string{
	remediation.QuotaExceeded:        "The namespace's quota is used up",
	remediation.NamespaceTerminating: "The namespace is being deleted",
	remediation.NamespaceMissing:     "The namespace does not exist",
	remediation.Forbidden:            "The gateway lacks a right in the cluster",
	remediation.AdmissionDenied:      "An admission policy of the cluster denies the object",
}

// failed turns an error of the intake into an answer that says why, for each alert.
func (s *Server) failed(ctx context.Context, err error, batch []alert.Alert) problem {
	var panicked *panics.Error
	var redis *intake.RedisError
	var again *intake.RetryError
	var unavailableErr *remediation.UnavailableError
	p, reason := unavailable("unavailable", "The alerts could not be made durable", err.Error()), unknownReason
	switch {
	case errors.As(err, &panicked):
		p = s.mistake(ctx, panicked)
	case errors.As(err, &redis) && !errors.As(redis, &unavailableErr): // else Kubernetes stands in for it, and cannot
		p, reason = unavailable("redis-unavailable", "Redis cannot be used", "nothing was promised; send it again"), intake.RedisUnavailable
		p.retryAfter = retryAfter(0, rand.Float64())
	case errors.As(err, &again):
		p = later(again.Err, again.Verdicts)
		p.Alerts = bodies(again.Verdicts)
		return p
	case errors.As(err, &unavailableErr):
		p = later(unavailableErr, nil)
		word, _, _ := remediation.ReasonOf(err)
		reason = string(word)
	}
	p.Alerts = bodies(refusals(batch, reason))
	return p
}

// refusals are the verdicts of a batch that failed as a whole.
func refusals(batch []alert.Alert, reason string) []intake.Verdict {
	out := make([]intake.Verdict, len(batch))
	for i, a := range batch {
		out[i] = intake.Verdict{Index: a.Index, Verdict: intake.Refused, Reason: reason, Retryable: true}
	}
	return out
}

// later asks to send a batch again because of Kubernetes.
func later(err error, verdicts []intake.Verdict) problem {
	kind, title := "kubernetes-unavailable", "Kubernetes cannot be used"
	if word, _, _ := remediation.ReasonOf(err); titles[word] != "" && solely(verdicts, string(word)) {
		kind, title = string(word), titles[word]
	}
	p := unavailable(kind, title, err.Error())
	var kubernetes *remediation.UnavailableError
	if errors.As(err, &kubernetes) {
		p.retryAfter = retryAfter(kubernetes.After, rand.Float64())
	}
	return p
}

// solely reports whether nothing but this reason keeps a batch from being taken.
func solely(verdicts []intake.Verdict, reason string) bool {
	return !slices.ContainsFunc(verdicts, func(v intake.Verdict) bool {
		return v.Retryable && v.Reason != reason && v.Reason != intake.BatchUnfinished
	})
}

// noneTaken answers a request whose alerts are all refused for good.
func noneTaken(alerts []verdictBody) problem {
	kind, title, detail := "no-valid-alert", "There is no valid alert in this request", ""
	differ := func(a verdictBody) bool { return a.Reason != alerts[0].Reason }
	if len(alerts) > 0 && !slices.ContainsFunc(alerts, differ) {
		if t := titles[remediation.Reason(alerts[0].Reason)]; t != "" {
			kind, title, detail = alerts[0].Reason, t, alerts[0].Detail
		}
	}
	p := newProblem(http.StatusUnprocessableEntity, kind, title, detail)
	p.Alerts = alerts
	return p
}

// byIndex sorts verdicts in place.
func byIndex(alerts []verdictBody) []verdictBody {
	slices.SortStableFunc(alerts, func(a, b verdictBody) int { return a.Index - b.Index })
	return alerts
}
