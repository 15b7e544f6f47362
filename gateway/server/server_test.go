package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/server/mocks"
)

const (
	route = "/api/v1/alerts/alertmanager"
	// webhook holds one good alert.
	webhook = `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z"}]}`
	// pair holds two good alerts.
	pair = `{"alerts":[{"labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z"},{"labels":{"alertname":"B"},"startsAt":"2026-01-02T03:04:05Z"}]}`
	// nameless holds one alert without a name, before a good one.
	nameless = `{"alerts":[{"status":"firing","labels":{"x":"y"},"startsAt":"2026-01-02T03:04:05Z"},` +
		`{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z"}]}`
)

// limits are small enough to be reached.
var limits = config.Limits{BodyBytes: 4096, Depth: 16, RequestTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, Alerts: 10, Labels: 8,
	LabelBytes: 1000, NameBytes: 100, InFlight: 1, QueueTimeout: time.Second, InFlightBytes: 8192, Rate: config.Rate{Burst: 2, Sources: 2}}

func newServer(p Processor, checks ...Check) *Server {
	return New(limits, p, checks, NewMetrics(), slog.New(slog.DiscardHandler))
}

// says is a processor that answers every batch alike.
func says(t *testing.T, verdicts []intake.Verdict, err error) *mocks.Processor {
	t.Helper()
	p := mocks.NewProcessor(t)
	p.EXPECT().Process(mock.Anything, mock.Anything).Return(verdicts, err)
	return p
}

// post sends a webhook; change may alter the request.
func post(t *testing.T, h http.Handler, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, route, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func header(key, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(key, value) }
}

// wantProblem checks an answer that is an error; it returns the document.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, kind string) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("the answer %q is no problem document: %v", w.Body, err)
	}
	if w.Code != status || p.Status != status || p.Type != typeBase+kind || p.Title == "" {
		t.Errorf("got %d %+v, want %d %s", w.Code, p, status, typeBase+kind)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if (w.Header().Get("Retry-After") != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("%d with Retry-After %q: 503 has it, nothing else", status, w.Header().Get("Retry-After"))
	}
	return p
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheStatusSaysWhetherAnythingIsNew(t *testing.T) {
	for name, tc := range map[string]struct {
		verdicts []string
		want     int
	}{
		"an opened incident is 201":               {[]string{intake.Created}, 201},
		"one opened among duplicates is 201":      {[]string{intake.Duplicate, intake.Created}, 201},
		"a duplicate is 202":                      {[]string{intake.Duplicate}, 202},
		"a storm member is 202":                   {[]string{intake.Member}, 202},
		"a resolved alert is 202":                 {[]string{intake.Resolved}, 202},
		"an ignored alert is 202":                 {[]string{intake.Ignored}, 202},
		"a refused one beside a duplicate is 202": {[]string{intake.Invalid, intake.Duplicate}, 202},
		"a refused one beside a new one is 201":   {[]string{intake.Invalid, intake.Created}, 201},
	} {
		t.Run(name, func(t *testing.T) {
			var verdicts []intake.Verdict
			want := map[string]int{}
			for i, v := range tc.verdicts {
				verdicts = append(verdicts, intake.Verdict{Index: i, Verdict: v, Namespace: "n", Name: "rr"})
				want[v]++
			}
			w := post(t, newServer(says(t, verdicts, nil)).Public(), webhook)
			var got answer
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != tc.want {
				t.Fatalf("got %d %s, %v; want %d", w.Code, w.Body, err, tc.want)
			}
			if diff := cmp.Diff(want, got.Counts); diff != "" {
				t.Error(diff)
			}
			if w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("Content-Type %q", w.Header().Get("Content-Type"))
			}
		})
	}
}

func TestTheAnswerHasAVerdictForEveryAlertInTheBatchsOrder(t *testing.T) {
	p := says(t, []intake.Verdict{{Index: 1, Verdict: intake.Created, Fingerprint: "f", Namespace: "n", Name: "rr", Occurrences: 1, Deliveries: 2, Renotifications: 1}}, nil)
	w := post(t, newServer(p).Public(), nameless)
	var got answer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("got %d %s, %v", w.Code, w.Body, err)
	}
	if len(got.Alerts) != 2 || got.Alerts[0].Verdict != intake.Invalid || got.Alerts[0].Field == "" || got.Alerts[0].Detail == "" {
		t.Fatalf("want the nameless alert refused with its field first, got %s", w.Body)
	}
	want := verdictBody{Index: 1, Verdict: intake.Created, Fingerprint: "f", Object: &objectID{"n", "rr"}, Occurrences: 1, Deliveries: 2, Renotifications: 1}
	if diff := cmp.Diff(want, got.Alerts[1]); diff != "" {
		t.Error(diff)
	}
	if sent := p.Calls[0].Arguments.Get(1).([]alert.Alert); len(sent) != 1 {
		t.Errorf("the processor got %d alerts, want the valid one alone", len(sent))
	}
}

func TestARequestThatCannotBeTakenIsRefusedByType(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		change func(*http.Request)
		status int
		kind   string
	}{
		"not JSON":                       {"{\n  nope", nil, 400, "malformed-json"},
		"an empty body":                  {"", nil, 400, "malformed-json"},
		"another version of the webhook": {`{"version":"3","alerts":[]}`, nil, 422, "invalid-payload"},
		"alerts of a wrong type":         {`{"alerts":7}`, nil, 422, "invalid-payload"},
		"more alerts than allowed":       {`{"alerts":[` + strings.Repeat("{},", 10) + `{}]}`, nil, 422, "invalid-payload"},
		"an empty list of alerts":        {`{"alerts":[]}`, nil, 422, "no-valid-alert"},
		"nothing valid in it":            {`{"alerts":[{"labels":{"x":"y"}}]}`, nil, 422, "no-valid-alert"},
		"no content type":                {webhook, header("Content-Type", ""), 415, "unsupported-media-type"},
		"another content type":           {webhook, header("Content-Type", "text/plain"), 415, "unsupported-media-type"},
		"another encoding":               {webhook, header("Content-Encoding", "br"), 415, "unsupported-encoding"},
		"gzip that is none":              {webhook, header("Content-Encoding", "gzip"), 400, "malformed-gzip"},
		"gzip that is cut short":         {gzipped(t, webhook)[:40], header("Content-Encoding", "gzip"), 400, "unreadable"},
		"another method":                 {"", func(r *http.Request) { r.Method = http.MethodGet }, 405, "method-not-allowed"},
		"another path":                   {"", func(r *http.Request) { r.URL.Path = "/api/v1/alerts" }, 404, "not-found"},
		"metrics on the public listener": {"", func(r *http.Request) { r.Method, r.URL.Path = http.MethodGet, "/metrics" }, 404, "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			change := func(*http.Request) {}
			if tc.change != nil {
				change = tc.change
			}
			w := post(t, newServer(mocks.NewProcessor(t)).Public(), tc.body, change)
			wantProblem(t, w, tc.status, tc.kind)
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("an error must carry the security headers too, got %v", w.Header())
			}
		})
	}
}

func TestAProblemPointsAtWhatIsWrong(t *testing.T) {
	h := newServer(mocks.NewProcessor(t)).Public()
	if p := wantProblem(t, post(t, h, "{\n  nope"), 400, "malformed-json"); p.Line != 2 || p.Column != 3 {
		t.Errorf("at %d:%d, want 2:3", p.Line, p.Column)
	}
	if p := wantProblem(t, post(t, h, `{"version":"3"}`), 422, "invalid-payload"); p.Field != "version" {
		t.Errorf("field %q, want version", p.Field)
	}
	p := wantProblem(t, post(t, h, `{"alerts":[{"labels":{"x":"y"}},7]}`), 422, "no-valid-alert")
	if len(p.Alerts) != 2 || p.Alerts[0].Index != 0 || p.Alerts[1].Index != 1 || p.Alerts[1].Detail == "" {
		t.Errorf("got %+v, want both alerts by index with a detail", p.Alerts)
	}
}

func TestABatchThatKubernetesRefusesWholeIs422WithItsReason(t *testing.T) {
	for name, tc := range map[string]struct{ first, second, kind string }{
		"one reason has a type of its own": {"namespace-missing", "namespace-missing", "namespace-missing"},
		"several have none":                {"namespace-missing", "admission-denied", "no-valid-alert"},
		"nor has the schema's":             {"invalid", "invalid", "no-valid-alert"},
	} {
		t.Run(name, func(t *testing.T) {
			p := says(t, []intake.Verdict{{Verdict: intake.Refused, Reason: tc.first, Detail: "why"}, {Index: 1, Verdict: intake.Refused, Reason: tc.second}}, nil)
			s := newServer(p)
			got := wantProblem(t, post(t, s.Public(), pair), 422, tc.kind)
			if len(got.Alerts) != 2 || got.Alerts[0].Detail != "why" || got.Alerts[0].Reason != tc.first || got.Alerts[0].Retryable == nil || *got.Alerts[0].Retryable {
				t.Errorf("got %+v, want each with its reason, and not to be repeated", got.Alerts)
			}
			wantSeries(t, s, `stormproof_alerts_total{verdict="refused"} 2`)
		})
	}
}

func TestABatchThatIsSentBackNamesEveryAlert(t *testing.T) {
	retry := func(reason remediation.Reason, others ...intake.Verdict) error {
		return &intake.RetryError{Verdicts: append([]intake.Verdict{{Index: 1, Verdict: intake.Refused, Reason: string(reason), Retryable: true}}, others...),
			Err: &remediation.UnavailableError{Reason: reason, Doing: "creating", After: 20 * time.Second, Err: errors.New("403")}}
	}
	for name, tc := range map[string]struct {
		err  error
		kind string
		want []string
	}{
		"a quota":                  {retry(remediation.QuotaExceeded, intake.Verdict{Verdict: intake.Refused, Reason: intake.BatchUnfinished, Retryable: true}), "quota-exceeded", []string{"batch-unfinished true", "quota-exceeded true"}},
		"a quota beside a timeout": {retry(remediation.QuotaExceeded, intake.Verdict{Verdict: intake.Refused, Reason: "timeout", Retryable: true}), "kubernetes-unavailable", []string{"timeout true", "quota-exceeded true"}},
		"one that is final beside": {retry(remediation.NamespaceTerminating, intake.Verdict{Verdict: intake.Refused, Reason: "admission-denied"}), "namespace-terminating", []string{"admission-denied false", "namespace-terminating true"}},
		"a timeout":                {retry(remediation.Timeout, intake.Verdict{Verdict: intake.Refused, Reason: "timeout", Retryable: true}), "kubernetes-unavailable", []string{"timeout true", "timeout true"}},
		"Redis":                    {&intake.RedisError{Err: errors.New("x")}, "redis-unavailable", []string{"redis-unavailable true", "redis-unavailable true"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(says(t, nil, tc.err))
			w := post(t, s.Public(), pair)
			var got []string
			for i, a := range wantProblem(t, w, 503, tc.kind).Alerts {
				if a.Index != i || a.Verdict != intake.Refused {
					t.Errorf("at %d: %+v", i, a)
				}
				got = append(got, fmt.Sprintf("%s %t", a.Reason, *a.Retryable))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if after, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || strings.HasPrefix(tc.kind, "r") != (after < 20) || after > 23 {
				t.Errorf("Retry-After %q, want what the API server asked for and up to 3 more", w.Header().Get("Retry-After"))
			}
			wantSeries(t, s, `stormproof_alerts_total{verdict="refused"} 2`)
		})
	}
}

func TestRetryAfterIsNeverEarlierThanAskedFor(t *testing.T) {
	for _, tc := range []struct {
		asked  time.Duration
		jitter float64
		want   string
	}{{0, 0, "1"}, {time.Second, 0.99, "4"}, {1500 * time.Millisecond, 0, "2"}, {10 * time.Second, 0.5, "12"}, {time.Hour, 0, "30"}} {
		if got := retryAfter(tc.asked, tc.jitter); got != tc.want {
			t.Errorf("asked %s, jitter %v: %s, want %s", tc.asked, tc.jitter, got, tc.want)
		}
	}
}

func TestTheBodyLimitIsExactAndOnWhatComesOutOfGzip(t *testing.T) {
	pad := func(n int) string { return webhook + strings.Repeat(" ", n-len(webhook)) }
	limit := int(limits.BodyBytes)
	for name, tc := range map[string]struct {
		body string
		gzip bool
		want int
	}{
		"exactly the limit is taken":               {pad(limit), false, 202},
		"a byte more is refused":                   {pad(limit + 1), false, 413},
		"exactly the limit in gzip is taken":       {pad(limit), true, 202},
		"a byte more in gzip is refused":           {pad(limit + 1), true, 413},
		"a bomb is refused":                        {pad(1 << 20), true, 413},
		"spaces alone beyond the limit are too":    {strings.Repeat(" ", limit+1), false, 413},
		"gzip that is itself too large is refused": {strings.Repeat(gzipped(t, " "), limit), true, 413},
	} {
		t.Run(name, func(t *testing.T) {
			p := mocks.NewProcessor(t)
			if tc.want == http.StatusAccepted {
				p.EXPECT().Process(mock.Anything, mock.Anything).Return([]intake.Verdict{{Verdict: intake.Duplicate}}, nil)
			}
			body, change := tc.body, func(*http.Request) {}
			if tc.gzip {
				change = header("Content-Encoding", "gzip")
				if !strings.HasPrefix(body, "\x1f\x8b") {
					body = gzipped(t, body)
				}
			}
			w := post(t, newServer(p).Public(), body, change)
			if w.Code != tc.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tc.want)
			}
			if tc.want == http.StatusRequestEntityTooLarge {
				if p := wantProblem(t, w, 413, "too-large"); !strings.Contains(p.Detail, "limits.bodyBytes is 4096") {
					t.Errorf("detail %q must name the setting", p.Detail)
				}
			}
		})
	}
}

func TestUnpackingEndsWithTheRequestsDeadline(t *testing.T) {
	late, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	w := post(t, newServer(mocks.NewProcessor(t)).Public(), gzipped(t, webhook), header("Content-Encoding", "gzip"),
		func(r *http.Request) { *r = *r.WithContext(late) })
	if p := wantProblem(t, w, http.StatusServiceUnavailable, "too-slow"); !strings.Contains(p.Detail, "limits.requestTimeout") || w.Header().Get("Retry-After") == "" {
		t.Errorf("%+v must name the setting, and ask to come again", p)
	}
}

// TestAGzipBombIsNotUnpacked looks at memory, because the answer alone cannot tell whether
// the bomb was unpacked first and refused afterwards.
func TestAGzipBombIsNotUnpacked(t *testing.T) {
	bomb, h := gzipped(t, strings.Repeat(" ", 3<<20)), newServer(mocks.NewProcessor(t)).Public()
	if len(bomb) > int(limits.BodyBytes) {
		t.Fatalf("the bomb has %d bytes: it must itself be within the limit", len(bomb))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := post(t, h, bomb, header("Content-Encoding", "gzip"))
	runtime.ReadMemStats(&after)
	wantProblem(t, w, http.StatusRequestEntityTooLarge, "too-large")
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("refusing 3 MiB at a limit of 4 KiB took %d bytes of memory", used)
	}
}

func TestWhatWasNotMadeDurableIsAnswered503(t *testing.T) {
	const secret = "redis://user:hunter2@db"
	for name, tc := range map[string]struct {
		err  error
		kind string
	}{
		"Redis is away":                        {&intake.RedisError{Err: errors.New(secret)}, "redis-unavailable"},
		"Redis is away, wrapped":               {fmt.Errorf("deciding: %w", &intake.RedisError{Err: errors.New(secret)}), "redis-unavailable"},
		"Kubernetes is away":                   {&remediation.UnavailableError{Doing: "creating", Err: errors.New("503")}, "kubernetes-unavailable"},
		"Kubernetes cannot stand in for Redis": {&intake.RedisError{Err: &remediation.UnavailableError{Doing: "reading a ledger", Err: errors.New("503")}}, "kubernetes-unavailable"},
		"the deadline passed":                  {context.DeadlineExceeded, "unavailable"},
		"an error of another kind":             {errors.New("odd"), "unavailable"},
		"both at once, Redis first":            {errors.Join(&remediation.UnavailableError{Doing: "x", Err: errors.New("y")}, &intake.RedisError{Err: errors.New("z")}), "redis-unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			w := post(t, newServer(says(t, nil, tc.err)).Public(), webhook)
			wantProblem(t, w, http.StatusServiceUnavailable, tc.kind)
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("the answer repeats what Redis' client said: %s", w.Body)
			}
		})
	}
}

func TestAPanicIsAnswered500AndTheNextRequestIsFine(t *testing.T) {
	p := mocks.NewProcessor(t)
	p.EXPECT().Process(mock.Anything, mock.Anything).RunAndReturn(
		func(context.Context, []alert.Alert) ([]intake.Verdict, error) { panic("a secret of the stack") }).Once()
	p.EXPECT().Process(mock.Anything, mock.Anything).Return([]intake.Verdict{{Verdict: intake.Created}}, nil).Once()
	s := newServer(p)
	w := post(t, s.Public(), webhook)
	wantProblem(t, w, http.StatusInternalServerError, "internal")
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the answer tells of the panic's inside: %s", w.Body)
	}
	wantSeries(t, s, "stormproof_panics_total 1")
	// There is one slot: had the panic kept it, this would be 503.
	if w := post(t, s.Public(), webhook); w.Code != http.StatusCreated {
		t.Errorf("after the panic: %d %s", w.Code, w.Body)
	}
}

func TestOneRequestTooManyIsAnswered503AndTheSlotComesBack(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	p := mocks.NewProcessor(t)
	p.EXPECT().Process(mock.Anything, mock.Anything).RunAndReturn(
		func(context.Context, []alert.Alert) ([]intake.Verdict, error) {
			close(entered)
			<-leave
			return []intake.Verdict{{Verdict: intake.Created}}, nil
		}).Once()
	p.EXPECT().Process(mock.Anything, mock.Anything).Return([]intake.Verdict{{Verdict: intake.Duplicate}}, nil).Once()
	h := newServer(p).Public()
	first := make(chan int, 1)
	go func() { first <- post(t, h, webhook).Code }()
	<-entered
	wantProblem(t, post(t, h, webhook), http.StatusServiceUnavailable, "overloaded")
	probe := httptest.NewRecorder()
	h.ServeHTTP(probe, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil))
	if probe.Code != http.StatusOK {
		t.Errorf("/healthz under overload is %d: it must not need a slot", probe.Code)
	}
	close(leave)
	if got := <-first; got != http.StatusCreated {
		t.Errorf("the request that held the slot got %d", got)
	}
	if w := post(t, h, webhook); w.Code != http.StatusAccepted {
		t.Errorf("after the overload: %d %s", w.Code, w.Body)
	}
}

func TestEveryBatchHasTheRequestsDeadline(t *testing.T) {
	p := mocks.NewProcessor(t)
	p.EXPECT().Process(mock.Anything, mock.Anything).RunAndReturn(
		func(ctx context.Context, _ []alert.Alert) ([]intake.Verdict, error) {
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); !ok || left > limits.RequestTimeout {
				t.Errorf("deadline in %s (%t), want at most %s", left, ok, limits.RequestTimeout)
			}
			return []intake.Verdict{{Verdict: intake.Created}}, nil
		})
	post(t, newServer(p).Public(), webhook)
}

func TestVerdictsAndRequestsAreCounted(t *testing.T) {
	s := newServer(says(t, []intake.Verdict{{Index: 1, Verdict: intake.Created}}, nil))
	post(t, s.Public(), nameless)
	wantSeries(t, s, `stormproof_alerts_total{verdict="created"} 1`)
	wantSeries(t, s, `stormproof_alerts_total{verdict="invalid"} 1`)
	wantSeries(t, s, `stormproof_http_requests_total{code="201",route="/api/v1/alerts/alertmanager"} 1`)
}
