package server

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
		limits := s.limits.Load()
		body, bad := s.body(w, r, int64(limits.BodyBytes))
		if bad != nil {
			bad.write(w)
			return
		}
		batch, err := source.Parse(body, alert.Limits{Alerts: limits.Alerts, Labels: limits.Labels})
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
			books.close()
			failed(err).write(w)
			return
		}
		alerts = append(alerts, bodies(verdicts)...)
		s.keep(r.Context(), source, batch, alerts)
		s.answer(w, r, books, alerts)
	}
}

// answer says what became of every alert.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, books *books, alerts []verdictBody) {
	sort.SliceStable(alerts, func(i, j int) bool { return alerts[i].Index < alerts[j].Index })
	counts := map[string]int{}
	for _, a := range alerts {
		counts[a.Verdict]++
		books.book(a.Verdict)
		s.logVerdict(r, a)
	}
	if counts[intake.Invalid] == len(alerts) {
		p := newProblem(http.StatusUnprocessableEntity, "no-valid-alert", "There is no valid alert in this request", "")
		p.Alerts = alerts
		p.write(w)
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
// makes a few however large it is, and at debug otherwise. It names the alert by what the
// gateway made of it; what the sender wrote might be secret, or long.
func (s *Server) logVerdict(r *http.Request, a verdictBody) {
	level := slog.LevelDebug
	if a.Verdict == intake.Created {
		level = slog.LevelInfo
	}
	object := ""
	if a.Object != nil {
		object = a.Object.Namespace + "/" + a.Object.Name
	}
	s.log.Log(r.Context(), level, "verdict", "index", a.Index, "verdict", a.Verdict, "fingerprint", a.Fingerprint,
		"group", a.Group, "object", object, "storm", a.Storm)
}

func bodies(verdicts []intake.Verdict) []verdictBody {
	out := make([]verdictBody, len(verdicts))
	for i, v := range verdicts {
		out[i] = verdictBody{Index: v.Index, Verdict: v.Verdict, Fingerprint: v.Fingerprint, Storm: v.Storm,
			Occurrences: v.Occurrences, Deliveries: v.Deliveries, Detail: v.Detail, Group: v.Group}
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

func skippedBodies(list []int) []verdictBody {
	out := make([]verdictBody, len(list))
	for i, index := range list {
		out[i] = verdictBody{Index: index, Verdict: intake.Ignored, Detail: "a Normal event asks for nothing"}
	}
	return out
}

// body reads the request within the limit, which is on what comes out of gzip.
func (s *Server) body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *problem) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		p := newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "Content-Type must be application/json", "")
		return nil, &p
	}
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
