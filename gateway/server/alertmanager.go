package server

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sort"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/crash"
	"github.com/stormproof/stormproof/gateway/intake"
)

// verdictBody is one alert in an answer.
type verdictBody struct {
	Index       int       `json:"index"`
	Verdict     string    `json:"verdict"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Object      *objectID `json:"remediationRequest,omitempty"`
	Storm       string    `json:"storm,omitempty"`
	Occurrences int64     `json:"occurrences,omitempty"`
	Deliveries  int64     `json:"deliveries,omitempty"`
	Field       string    `json:"field,omitempty"`
	Detail      string    `json:"detail,omitempty"`
}

type objectID struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// answer is the body of 201 and 202.
type answer struct {
	Counts map[string]int `json:"counts"`
	Alerts []verdictBody  `json:"alerts"`
}

// alertmanager takes a webhook of Alertmanager, version 4.
func (s *Server) alertmanager(w http.ResponseWriter, r *http.Request) {
	body, bad := s.body(w, r)
	if bad != nil {
		bad.write(w)
		return
	}
	batch, err := alert.ParseAlertmanager(body, alert.Limits{Alerts: s.limits.Alerts, Labels: s.limits.Labels})
	if err != nil {
		malformed(err).write(w)
		return
	}
	alerts := invalidBodies(batch.Invalid)
	if len(batch.Alerts) == 0 {
		p := newProblem(http.StatusUnprocessableEntity, "no-valid-alert", "There is no valid alert in this request", "")
		p.Alerts = alerts
		s.count(alerts)
		p.write(w)
		return
	}
	crash.Point(crash.Parsed)
	verdicts, err := s.process.Process(r.Context(), batch.Alerts)
	if err != nil {
		s.log.WarnContext(r.Context(), "batch not acknowledged", "alerts", len(batch.Alerts), "error", err)
		failed(err).write(w)
		return
	}
	s.answer(w, r, append(alerts, bodies(verdicts)...))
}

// answer says what became of every alert.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, alerts []verdictBody) {
	sort.SliceStable(alerts, func(i, j int) bool { return alerts[i].Index < alerts[j].Index })
	counts := s.count(alerts)
	for _, a := range alerts {
		s.log.DebugContext(r.Context(), "alert", "verdict", a.Verdict, "fingerprint", a.Fingerprint, "storm", a.Storm)
	}
	status := http.StatusAccepted
	switch {
	case counts[intake.Created] > 0:
		status = http.StatusCreated
	case counts[intake.Invalid] == len(alerts):
		p := newProblem(http.StatusUnprocessableEntity, "no-valid-alert", "Kubernetes takes none of these alerts", "")
		p.Alerts = alerts
		p.write(w)
		return
	}
	crash.Point(crash.Answering)
	writeJSON(w, "application/json", status, answer{Counts: counts, Alerts: alerts})
}

func (s *Server) count(alerts []verdictBody) map[string]int {
	counts := map[string]int{}
	for _, a := range alerts {
		counts[a.Verdict]++
		s.metrics.alerts.WithLabelValues(a.Verdict).Inc()
	}
	return counts
}

func bodies(verdicts []intake.Verdict) []verdictBody {
	out := make([]verdictBody, len(verdicts))
	for i, v := range verdicts {
		out[i] = verdictBody{Index: v.Index, Verdict: v.Verdict, Fingerprint: v.Fingerprint, Storm: v.Storm,
			Occurrences: v.Occurrences, Deliveries: v.Deliveries, Detail: v.Detail}
		if v.Name != "" {
			out[i].Object = &objectID{Namespace: v.Namespace, Name: v.Name}
		}
	}
	return out
}

func invalidBodies(list []alert.Invalid) []verdictBody {
	out := make([]verdictBody, len(list))
	for i, v := range list {
		out[i] = verdictBody{Index: v.Index, Verdict: intake.Invalid, Field: v.Field, Detail: v.Detail}
	}
	return out
}

// body reads the request within the limit, which is on what comes out of gzip.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		p := newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "Content-Type must be application/json", "")
		return nil, &p
	}
	limit := int64(s.limits.BodyBytes)
	var in io.Reader = http.MaxBytesReader(w, r.Body, limit)
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			p := newProblem(http.StatusBadRequest, "malformed-gzip", "The body is not gzip", err.Error())
			return nil, &p
		}
		in = z
	default:
		p := newProblem(http.StatusUnsupportedMediaType, "unsupported-encoding", "Content-Encoding must be gzip or absent", "")
		return nil, &p
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || int64(len(b)) > limit {
		p := newProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large", fmt.Sprintf("limits.bodyBytes is %d", limit))
		return nil, &p
	}
	if err != nil {
		p := newProblem(http.StatusBadRequest, "unreadable", "The body could not be read", err.Error())
		return nil, &p
	}
	return b, nil
}

// malformed answers a body that cannot be read as a payload at all.
func malformed(err error) problem {
	var syntax *alert.SyntaxError
	var field *alert.FieldError
	switch {
	case errors.As(err, &syntax):
		p := newProblem(http.StatusBadRequest, "malformed-json", "The body is not JSON", syntax.Error())
		p.Line, p.Column = syntax.Line, syntax.Column
		return p
	case errors.As(err, &field):
		p := newProblem(http.StatusUnprocessableEntity, "invalid-payload", "The payload breaks the contract", field.Error())
		p.Field = field.Field
		return p
	default:
		return newProblem(http.StatusBadRequest, "malformed", "The body cannot be read", err.Error())
	}
}
