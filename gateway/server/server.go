// Package server is the gateway's HTTP face: routes, limits, answers, probes, metrics.
//
// The contract in short: 201 when an alert opened an incident, 202 when nothing was new,
// 4xx when the request can never be taken as it is, and 503 with Retry-After whenever
// nothing was promised. It is never 429 for overload: Alertmanager repeats 5xx only, and a
// 4xx loses the alert. Every error is an RFC 9457 problem document with a stable type.
//
// Public serves alerts and probes; Admin serves metrics, profiles and probes and belongs on a
// private address.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/semaphore"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/auth"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/panics"
	"github.com/stormproof/stormproof/gateway/park"
	"github.com/stormproof/stormproof/gateway/traces"
)

// Processor decides on a batch of alerts.
type Processor interface {
	Process(ctx context.Context, alerts []alert.Alert) ([]intake.Verdict, error)
}

// Check says whether a dependency can be used; nil if so.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
	// Dispensable: without it the gateway is degraded, and still ready.
	Dispensable bool
}

// Server answers requests. Its zero value is of no use; see New.
type Server struct {
	limits   atomic.Pointer[config.Limits]
	process  Processor
	checks   []Check
	metrics  *Metrics
	log      *slog.Logger
	stopping atomic.Bool
	// told is the readiness that the log has last.
	told   atomic.Pointer[string]
	gate   atomic.Pointer[auth.Gate]
	parked *park.Park

	// slots and bytes are what is taken of limits.inFlight and limits.inFlightBytes; queued
	// requests wait for a slot.
	slots, bytes *semaphore.Weighted
	queued       atomic.Int64
	rates        atomic.Pointer[rates]
	// now is the time, and random a number below n.
	now    func() time.Time
	random func(n int) int
	// Testing, if not nil, answers below /testing/ on the private listener. Set it before Admin.
	Testing http.Handler
	// Shadow, if not nil, answers at /shadow on the private listener. Set it before Admin.
	Shadow http.Handler
	// Trace, if not nil, begins the span of a request. Set it before Public.
	Trace func(r *http.Request, route string) (*http.Request, func(status int))
	// Trusted are the proxies whose X-Forwarded-For is believed. Set it before Public.
	Trusted []netip.Prefix
}

// New returns a server.
func New(limits config.Limits, p Processor, checks []Check, m *Metrics, log *slog.Logger) *Server {
	s := &Server{process: p, checks: checks, metrics: m, log: log, now: time.Now, random: rand.IntN,
		slots: semaphore.NewWeighted(int64(limits.InFlight)), bytes: semaphore.NewWeighted(int64(limits.InFlightBytes)),
		parked: park.New(limits.ParkedAlerts, int(limits.ParkedBytes), m.parkedNow, m.leftPark)}
	s.SetLimits(limits)
	return s
}

// SetLimits takes over new limits for the requests to come, but for InFlight and
// InFlightBytes. Sources are only forgotten when their limit changes.
func (s *Server) SetLimits(l config.Limits) {
	if old := s.limits.Swap(&l); old == nil || old.Rate != l.Rate {
		s.rates.Store(newRates(l.Rate))
	}
}

// Stopping makes the server unready, so that no new work is sent to it.
func (s *Server) Stopping() { s.stopping.Store(true) }

// endpoint is one path of the public API, as the OpenAPI document has it.
type endpoint struct {
	method, path string
	handler      http.Handler
}

// routes lists the public API: one path for each source, and the API's own description.
func (s *Server) routes() []endpoint {
	out := []endpoint{{http.MethodGet, "/api/v1/openapi.yaml", http.HandlerFunc(describe)},
		{http.MethodGet, "/healthz", http.HandlerFunc(alive)}, {http.MethodGet, "/readyz", http.HandlerFunc(s.ready)}}
	for _, source := range alert.Sources() {
		out = append(out, endpoint{http.MethodPost, "/api/v1/alerts/" + source.Name(),
			s.admit(s.known(source.Name(), s.paced(source, s.take(source))))})
	}
	return out
}

// Public is the handler of the public listener.
func (s *Server) Public() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.path, s.only(r.method, r.handler))
	}
	mux.HandleFunc("/", nothing)
	return s.observe(mux)
}

// Admin is the handler of the private listener.
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", s.only(http.MethodGet, promhttp.HandlerFor(s.metrics.Registry, promhttp.HandlerOpts{})))
	for name, profile := range profiles() {
		mux.Handle(name, profile)
	}
	if s.Testing != nil {
		mux.Handle("/testing/", s.Testing)
	}
	mux.Handle("/healthz", s.only(http.MethodGet, http.HandlerFunc(alive)))
	mux.Handle("/readyz", s.only(http.MethodGet, http.HandlerFunc(s.ready)))
	s.parkable(mux)
	if s.Shadow != nil {
		mux.Handle("/shadow", s.only(http.MethodGet, s.Shadow))
	}
	mux.HandleFunc("/", nothing)
	return s.observe(mux)
}

func alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, "application/json", http.StatusOK, map[string]string{"status": "alive"})
}

func nothing(w http.ResponseWriter, r *http.Request) {
	newProblem(http.StatusNotFound, "not-found", "There is nothing here", r.URL.Path).write(w)
}

// only refuses other methods.
func (s *Server) only(method string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			newProblem(http.StatusMethodNotAllowed, "method-not-allowed", "This route takes "+method, "").write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admit gives each request its deadline, which the reading of its body is part of, and counts
// what its body takes.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), s.limits.Load().RequestTimeout)
		defer cancel()
		r = r.WithContext(ctx)
		body := s.meter(w, r)
		defer body.release()
		r.Body = body
		next.ServeHTTP(w, r)
	})
}

// observe sets headers, recovers panics, counts and logs.
func (s *Server) observe(next *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		r = auth.Receive(r, s.Trusted)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		_, route := next.Handler(r)
		traced := func(int) {}
		if s.Trace != nil {
			r, traced = s.Trace(r, route)
		}
		out := &statusWriter{ResponseWriter: w}
		defer func() {
			if cause := recover(); cause != nil {
				s.panicked(out, r, cause)
			}
			s.metrics.requests.WithLabelValues(route, strconv.Itoa(out.status)).Inc()
			s.metrics.duration.WithLabelValues(route).Observe(time.Since(begin).Seconds())
			line := []any{"route", route, "source", auth.Source(r.Context()), "status", out.status, "ms", time.Since(begin).Milliseconds()}
			if id := traces.ID(r.Context()); id != "" {
				line = append(line, "trace", id)
			}
			s.log.Log(r.Context(), loudness(r), "request", line...)
			traced(out.status)
		}()
		next.ServeHTTP(out, r)
	})
}

// loudness keeps probes and scrapes, which come every few seconds for ever, out of the log.
func loudness(r *http.Request) slog.Level {
	if r.Method == http.MethodPost {
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

func (s *Server) panicked(w *statusWriter, r *http.Request, cause any) {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	p := s.mistake(r.Context(), &panics.Error{Cause: cause, Stack: debug.Stack()})
	if w.status == 0 {
		p.write(w)
	}
}

// mistake counts and logs a panic.
func (s *Server) mistake(ctx context.Context, e *panics.Error) problem {
	s.metrics.panics.Inc()
	s.log.ErrorContext(ctx, "panic while answering", "cause", fmt.Sprint(e.Cause), "stack", string(e.Stack))
	return newProblem(http.StatusInternalServerError, "internal", "The gateway made a mistake", "it is logged; send the request again")
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// Unwrap lets a ResponseController find the connection, whose deadlines bodies and profiles move.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader passes the status on.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// ready asks every dependency.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	status, state := http.StatusOK, "ready"
	dependencies := map[string]string{}
	var failing []string
	for _, c := range s.checks {
		dependencies[c.Name] = "ok"
		if err := c.Run(ctx); err != nil {
			dependencies[c.Name] = err.Error()
			failing = append(failing, c.Name)
			switch {
			case !c.Dispensable:
				status, state = http.StatusServiceUnavailable, "not ready"
			case status == http.StatusOK:
				state = "degraded"
			}
		}
	}
	if s.stopping.Load() {
		status, state = http.StatusServiceUnavailable, "stopping"
	}
	s.tell(ctx, fmt.Sprint(state, failing), state, dependencies)
	writeJSON(w, "application/json", status, map[string]any{"status": state, "dependencies": dependencies})
}

// tell logs a readiness that is not the one before, which is ready at first: probes come every
// few seconds, and the words of an error may differ each time.
func (s *Server) tell(ctx context.Context, what, state string, dependencies map[string]string) {
	if old := s.told.Swap(&what); old == nil && state == "ready" || old != nil && *old == what {
		return
	}
	level := slog.LevelInfo
	if state == "not ready" || state == "degraded" {
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "readiness", "state", state, "dependencies", dependencies)
}
