package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/gateway/server/mocks"
)

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

// wantSeries looks for a line in what the admin listener tells Prometheus.
func wantSeries(t *testing.T, s *Server, line string) {
	t.Helper()
	body := get(t, s.Admin(), "/metrics").Body.String()
	if !slices.Contains(strings.Split(body, "\n"), line) {
		t.Errorf("/metrics lacks %q:\n%s", line, body)
	}
}

func TestReadyzNamesEveryDependency(t *testing.T) {
	works := func(context.Context) error { return nil }
	fails := func(context.Context) error { return errors.New("connection refused") }
	for name, tc := range map[string]struct {
		checks   []Check
		stopping bool
		code     int
		status   string
		want     map[string]string
	}{
		"all can be used": {[]Check{{Name: "redis", Run: works}, {Name: "kubernetes", Run: works}}, false, 200, "ready",
			map[string]string{"redis": "ok", "kubernetes": "ok"}},
		"one cannot": {[]Check{{Name: "redis", Run: fails}, {Name: "kubernetes", Run: works}}, false, 503, "not ready",
			map[string]string{"redis": "connection refused", "kubernetes": "ok"}},
		"none can": {[]Check{{Name: "redis", Run: fails}, {Name: "kubernetes", Run: fails}}, false, 503, "not ready",
			map[string]string{"redis": "connection refused", "kubernetes": "connection refused"}},
		"one that can be done without cannot": {[]Check{{Name: "redis", Run: fails, Dispensable: true}, {Name: "kubernetes", Run: works}}, false, 200, "degraded",
			map[string]string{"redis": "connection refused", "kubernetes": "ok"}},
		"nor can the other": {[]Check{{Name: "kubernetes", Run: fails}, {Name: "redis", Run: fails, Dispensable: true}}, false, 503, "not ready",
			map[string]string{"redis": "connection refused", "kubernetes": "connection refused"}},
		"a gateway that stops takes no new work": {[]Check{{Name: "redis", Run: works}}, true, 503, "stopping",
			map[string]string{"redis": "ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(mocks.NewProcessor(t), tc.checks...)
			if tc.stopping {
				s.Stopping()
			}
			for listener, h := range map[string]http.Handler{"public": s.Public(), "admin": s.Admin()} {
				w := get(t, h, "/readyz")
				var got struct {
					Status       string            `json:"status"`
					Dependencies map[string]string `json:"dependencies"`
				}
				if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
					t.Fatal(err)
				}
				if w.Code != tc.code || got.Status != tc.status {
					t.Errorf("%s: %d %s, want %d %s", listener, w.Code, got.Status, tc.code, tc.status)
				}
				if diff := cmp.Diff(tc.want, got.Dependencies); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestAHungDependencyIsAskedWithADeadline(t *testing.T) {
	s := newServer(mocks.NewProcessor(t), Check{Name: "redis", Run: func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a check without a deadline hangs the probe")
		}
		return nil
	}})
	get(t, s.Public(), "/readyz")
}

func TestHealthzIsAliveWhateverTheDependenciesSay(t *testing.T) {
	s := newServer(mocks.NewProcessor(t), Check{Name: "redis", Run: func(context.Context) error { return errors.New("away") }})
	s.Stopping()
	if w := get(t, s.Public(), "/healthz"); w.Code != http.StatusOK {
		t.Errorf("got %d: a restart would not help", w.Code)
	}
}

func TestMetricsAreOnTheAdminListenerAlone(t *testing.T) {
	s := newServer(mocks.NewProcessor(t))
	get(t, s.Public(), "/healthz")
	wantSeries(t, s, `stormproof_http_requests_total{code="200",route="/healthz"} 1`)
	if w := get(t, s.Public(), "/metrics"); w.Code != http.StatusNotFound {
		t.Errorf("the public listener answers /metrics with %d", w.Code)
	}
	if w := get(t, s.Admin(), route); w.Code != http.StatusNotFound {
		t.Errorf("the admin listener takes alerts: %d", w.Code)
	}
}

func TestPathsThatSendersInventMakeNoNewSeries(t *testing.T) {
	s := newServer(mocks.NewProcessor(t))
	for _, path := range []string{"/a", "/b", "/c/d"} {
		get(t, s.Public(), path)
	}
	wantSeries(t, s, `stormproof_http_requests_total{code="404",route="/"} 3`)
}

func TestReadinessIsLoggedWhenItChangesAndNotAtEachProbe(t *testing.T) {
	var log strings.Builder
	var failure error
	s := New(limits, mocks.NewProcessor(t), []Check{{Name: "redis", Run: func(context.Context) error { return failure }}}, NewMetrics(),
		slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
	probe := func(err error) {
		failure = err
		get(t, s.Public(), "/readyz")
	}
	probe(errors.New("read from port 1"))
	probe(errors.New("read from port 2"))
	probe(nil)
	probe(nil)
	want := `level=WARN msg=readiness state="not ready" dependencies="map[redis:read from port 1]"
level=INFO msg=readiness state=ready dependencies=map[redis:ok]
`
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Error(diff)
	}
}
