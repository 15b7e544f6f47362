package server

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/crash"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/traces"
)

// verdictBody is one alert in an answer.
type verdictBody struct {
	Index           int       `json:"index"`
	Verdict         string    `json:"verdict"`
	Fingerprint     string    `json:"fingerprint,omitempty"`
	Object          *objectID `json:"remediationRequest,omitempty"`
	Storm           string    `json:"storm,omitempty"`
	Occurrences     int64     `json:"occurrences,omitempty"`
	Deliveries      int64     `json:"deliveries,omitempty"`
	Renotifications int64     `json:"renotifications,omitempty"`
	// Reason, Retryable and Detail are there where the alert was not taken; Field, too, where it is
	// the alert's own fault.
	Reason    string `json:"reason,omitempty"`
	Retryable *bool  `json:"retryable,omitempty"`
	Field     string `json:"field,omitempty"`
	Detail    string `json:"detail,omitempty"`
	// Group is for the log.
	Group string `json:"-"`
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

// take answers what one kind of sender posts.
func (s *Server) take(source alert.Source) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, done, bad := s.body(w, r)
		defer done()
		if bad != nil {
			bad.write(w)
			return
		}
		leave, bad := s.enter(r.Context())
		if bad != nil {
			bad.write(w)
			return
		}
		defer leave()
		batch, err := source.Parse(body, s.limits.Load().Payload())
		if err != nil {
			malformed(err).write(w)
			return
		}
		books := s.metrics.receive(source.Name(), batch)
		defer books.close()
		alerts := append(invalidBodies(batch.Invalid), skippedBodies(batch.Skipped)...)
		if len(batch.Alerts) == 0 {
			s.keep(r.Context(), source, batch, alerts)
			s.answer(w, r, books, alerts)
			return
		}
		crash.Point(crash.Parsed)
		verdicts, err := s.process.Process(r.Context(), batch.Alerts)
		if err != nil {
			s.log.WarnContext(r.Context(), "batch not acknowledged", "source", source.Name(), "alerts", len(batch.Alerts), "error", err)
			p := s.failed(r.Context(), err, batch.Alerts)
			p.Alerts = byIndex(append(p.Alerts, alerts...))
			for _, a := range p.Alerts {
				books.refuse(a.Reason)
			}
			p.write(w)
			return
		}
		alerts = append(alerts, bodies(verdicts)...)
		s.keep(r.Context(), source, batch, alerts)
		s.answer(w, r, books, alerts)
	}
}

// answer says what became of every alert.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, books *books, alerts []verdictBody) {
	counts := map[string]int{}
	for _, a := range byIndex(alerts) {
		counts[a.Verdict]++
		books.book(a.Verdict, a.Reason)
		s.logVerdict(r, a)
	}
	traces.Counts(r.Context(), counts)
	if counts[intake.Invalid]+counts[intake.Refused] == len(alerts) {
		noneTaken(alerts).write(w)
		return
	}
	status := http.StatusAccepted
	if counts[intake.Created] > 0 {
		status = http.StatusCreated
	}
	crash.Point(crash.Answering)
	writeJSON(w, "application/json", status, answer{Counts: counts, Alerts: alerts})
}

// logVerdict writes one line for an alert: at info where it made an object, of which a storm
// makes a few however large it is, at warn where Kubernetes will never take it, and at debug otherwise. It names the alert by what the
// gateway made of it; what the sender wrote might be secret, or long.
func (s *Server) logVerdict(r *http.Request, a verdictBody) {
	level := slog.LevelDebug
	switch a.Verdict {
	case intake.Created:
		level = slog.LevelInfo
	case intake.Refused:
		level = slog.LevelWarn
	}
	object := ""
	if a.Object != nil {
		object = a.Object.Namespace + "/" + a.Object.Name
	}
	s.log.Log(r.Context(), level, "verdict", "index", a.Index, "verdict", a.Verdict, "fingerprint", a.Fingerprint,
		"group", a.Group, "object", object, "storm", a.Storm, "reason", a.Reason)
}

func bodies(verdicts []intake.Verdict) []verdictBody {
	out := make([]verdictBody, len(verdicts))
	for i, v := range verdicts {
		out[i] = verdictBody{Index: v.Index, Verdict: v.Verdict, Fingerprint: v.Fingerprint, Storm: v.Storm,
			Occurrences: v.Occurrences, Deliveries: v.Deliveries, Renotifications: v.Renotifications, Reason: v.Reason, Detail: v.Detail, Group: v.Group}
		if v.Verdict == intake.Refused {
			out[i].Retryable = &v.Retryable
		}
		if v.Name != "" {
			out[i].Object = &objectID{Namespace: v.Namespace, Name: v.Name}
		}
	}
	return out
}

func invalidBodies(list []alert.Invalid) []verdictBody {
	out, never := make([]verdictBody, len(list)), false
	for i, v := range list {
		out[i] = verdictBody{Index: v.Index, Verdict: intake.Invalid, Reason: malformedAlert, Retryable: &never, Field: v.Field, Detail: v.Detail}
	}
	return out
}

func skippedBodies(list []int) []verdictBody {
	out := make([]verdictBody, len(list))
	for i, index := range list {
		out[i] = verdictBody{Index: index, Verdict: intake.Ignored, Detail: "a Normal event asks for nothing"}
	}
	return out
}

// malformed answers a body that cannot be read as a payload at all.
func malformed(err error) problem {
	var syntax *alert.SyntaxError
	var field *alert.FieldError
	var depth *alert.DepthError
	switch {
	case errors.As(err, &depth):
		p := newProblem(http.StatusBadRequest, "too-deep", "The body nests too deeply", depth.Error())
		p.Line, p.Column = depth.Line, depth.Column
		return p
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
