package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/server/mocks"
)

func TestProfilesAreOnTheAdminListenerAlone(t *testing.T) {
	s := newServer(mocks.NewProcessor(t))
	for path := range profiles() {
		if w := get(t, s.Public(), path); w.Code != http.StatusNotFound {
			t.Errorf("the public listener answers %s with %d", path, w.Code)
		}
	}
	if w := get(t, s.Admin(), "/debug/pprof/goroutine?debug=1"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "goroutine profile") {
		t.Errorf("got %d %.80s, want a profile", w.Code, w.Body)
	}
	if w := get(t, s.Admin(), "/debug/pprof/cmdline"); w.Code != http.StatusOK {
		t.Errorf("cmdline: %d", w.Code)
	}
}

// logged posts the nameless webhook and returns the lines about verdicts at a level.
func logged(t *testing.T, level slog.Level, verdicts ...intake.Verdict) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	s := New(limits, says(t, verdicts, nil), nil, NewMetrics(), slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level})))
	post(t, s.Public(), nameless)
	var out []map[string]any
	for line := range strings.Lines(b.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		delete(entry, "time")
		if entry["msg"] == "verdict" {
			out = append(out, entry)
		}
	}
	return out
}

func TestEveryVerdictIsALineAndOnlyNewObjectsAreLoud(t *testing.T) {
	made := intake.Verdict{Index: 1, Verdict: intake.Created, Fingerprint: "f", Group: "g", Namespace: "n", Name: "rr"}
	line := func(level, verdict string) map[string]any {
		return map[string]any{"level": level, "msg": "verdict", "index": 1.0, "verdict": verdict, "fingerprint": "f", "group": "g",
			"object": "n/rr", "storm": "", "reason": ""}
	}
	nothing := map[string]any{"level": "DEBUG", "msg": "verdict", "index": 0.0, "verdict": "invalid", "fingerprint": "", "group": "", "object": "", "storm": "", "reason": "malformed"}
	if diff := cmp.Diff([]map[string]any{nothing, line("INFO", "created")}, logged(t, slog.LevelDebug, made)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]map[string]any{line("INFO", "created")}, logged(t, slog.LevelInfo, made)); diff != "" {
		t.Error(diff)
	}
	made.Verdict = intake.Duplicate
	if got := logged(t, slog.LevelInfo, made); len(got) != 0 {
		t.Errorf("a repeat is logged at info: %v", got)
	}
}

func TestProbesAndScrapesAreNotLoggedAtInfo(t *testing.T) {
	var b bytes.Buffer
	s := New(limits, mocks.NewProcessor(t), nil, NewMetrics(), slog.New(slog.NewJSONHandler(&b, nil)))
	get(t, s.Public(), "/readyz")
	get(t, s.Admin(), "/metrics")
	if b.Len() != 0 {
		t.Errorf("logged %s", &b)
	}
}

func TestOutcomesAtTheAPIServerAreBounded(t *testing.T) {
	odd := &apierrors.StatusError{ErrStatus: metav1.Status{Reason: "whatever a webhook says"}}
	for want, err := range map[string]error{
		"ok": nil, "transport": errors.New("connection refused"), "other": odd,
		"Conflict": apierrors.NewConflict(schema.GroupResource{}, "x", nil), "TooManyRequests": apierrors.NewTooManyRequests("x", 1),
	} {
		if got := outcome(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

func TestWhatIsMeasuredShows(t *testing.T) {
	m := NewMetrics()
	m.Limit(func() (int, int, int) { return 64, 3, 2 })
	m.Redis("decide", time.Millisecond, errors.New("away"))
	m.Kubernetes("create", "remediationrequests", 3*time.Second, nil)
	m.Committed(40, true)
	m.Committed(2, false)
	s := New(limits, mocks.NewProcessor(t), nil, m, slog.New(slog.DiscardHandler))
	for _, line := range []string{
		"stormproof_kubernetes_calls_allowed 64", "stormproof_kubernetes_calls_in_flight 3", "stormproof_kubernetes_calls_waiting 2",
		`stormproof_redis_script_errors_total{script="decide"} 1`, `stormproof_redis_script_duration_seconds_bucket{script="decide",le="0.001"} 1`,
		`stormproof_kubernetes_request_duration_seconds_bucket{resource="remediationrequests",verb="create",le="2"} 0`,
		`stormproof_kubernetes_request_duration_seconds_bucket{resource="remediationrequests",verb="create",le="4"} 1`,
		`stormproof_storm_commit_members_bucket{le="2"} 1`, "stormproof_storm_commit_members_count 2", "stormproof_storms_opened_total 1",
	} {
		wantSeries(t, s, line)
	}
}
