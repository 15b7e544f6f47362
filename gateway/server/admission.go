package server

import (
	"errors"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/stormproof/stormproof/gateway/auth"
)

func admissions(f promauto.Factory) *prometheus.CounterVec {
	c := f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_admissions_total",
		Help: "Requests that had to say who sends them, by result: admitted, unknown (401), forbidden (403), unavailable (503) or unreadable."}, []string{"result"})
	for _, result := range []string{"admitted", "unknown", "forbidden", "unavailable", "unreadable"} {
		c.WithLabelValues(result)
	}
	return c
}

// Authenticate says who is let in from now on; nil lets everybody in.
func (s *Server) Authenticate(g *auth.Gate) { s.gate.Store(g) }

// known lets nobody pass whom the gate does not let in; target names what it leads to.
func (s *Server) known(target string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gate := s.gate.Load()
		if gate == nil {
			next.ServeHTTP(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, int64(s.limits.Load().BodyBytes)) // a signature needs all of it
		settle, err := gate.Admit(r, target)
		if err != nil {
			s.refuse(w, r, gate, err)
			return
		}
		s.metrics.admissions.WithLabelValues("admitted").Inc()
		out := &statusWriter{ResponseWriter: w}
		defer func() { settle(out.status/100 == 2) }()
		next.ServeHTTP(out, r)
	})
}

// refuse answers who is not let in. Which part was wrong is said to the log alone.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, gate *auth.Gate, err error) {
	var refusal *auth.Refusal
	var tooLarge *http.MaxBytesError
	result, p := "unreadable", newProblem(http.StatusBadRequest, "unreadable", "The body could not be read", "")
	switch {
	case errors.Is(err, errNoRoom), errors.Is(err, os.ErrDeadlineExceeded):
		p = *s.unread(err, false)
	case errors.As(err, &tooLarge):
		p = newProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large", "")
	case !errors.As(err, &refusal):
	case refusal.Status == http.StatusServiceUnavailable:
		result, p = "unavailable", unavailable("authentication-unavailable", "It cannot be found out who you are", "nothing was promised; send it again")
	case refusal.Status == http.StatusForbidden:
		result, p = "forbidden", newProblem(http.StatusForbidden, "forbidden", "You may not send alerts here", "")
	default:
		result, p = "unknown", newProblem(http.StatusUnauthorized, "unauthenticated", "Valid credentials are needed", "")
		w.Header().Set("WWW-Authenticate", gate.Challenge())
	}
	s.metrics.admissions.WithLabelValues(result).Inc()
	s.log.WarnContext(r.Context(), "request refused", "source", auth.Source(r.Context()), "status", p.Status, "reason", err)
	p.write(w)
}
