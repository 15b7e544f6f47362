package traces

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/stormproof/stormproof/gateway/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	theirs = "0af7651916cd43dd8448eb211c80319c"
	route  = "/api/v1/alerts/alertmanager"
)

// receiver is an OTLP receiver by HTTP, answering as it is told.
type receiver struct {
	*httptest.Server
	answer func(w http.ResponseWriter, r *http.Request)
	mu     sync.Mutex
	spans  []*tracepb.Span
	seen   http.Header
}

func newReceiver(t *testing.T) *receiver {
	x := &receiver{answer: func(http.ResponseWriter, *http.Request) {}}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // cut off by a sender that gave up
		}
		var data tracepb.TracesData
		if proto.Unmarshal(body, &data) != nil || r.URL.Path != "/v1/traces" || len(data.ResourceSpans) != 1 {
			t.Errorf("an export that is none: %s", r.URL)
			return
		}
		x.mu.Lock()
		x.seen = r.Header
		x.spans = append(x.spans, data.ResourceSpans[0].ScopeSpans[0].Spans...)
		x.mu.Unlock()
		x.answer(w, r)
	}))
	t.Cleanup(x.Close)
	return x
}

func made(t *testing.T, c config.Traces) (*Traces, *atomic.Int64) {
	t.Helper()
	lost := &atomic.Int64{}
	out, err := New(c, slog.New(slog.DiscardHandler), func(n int) { lost.Add(int64(n)) })
	if err != nil {
		t.Fatal(err)
	}
	return out, lost
}

// serve makes the spans of one request.
func serve(x *Traces, headers map[string]string) string {
	r := httptest.NewRequest(http.MethodPost, route, nil)
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	r, end := x.Request(r, route)
	for _, call := range []struct{ name, outcome string }{{"redis decide", "ok"}, {"kubernetes create remediationrequests", "AlreadyExists"}, {"redis settle", "failed"}} {
		_, done := x.Call(r.Context(), call.name)
		done(call.outcome)
	}
	Counts(r.Context(), map[string]int{"created": 2})
	end(http.StatusServiceUnavailable)
	return ID(r.Context())
}

func TestOneTraceHoldsARequestAndItsCalls(t *testing.T) {
	to := newReceiver(t)
	headers := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(headers, []byte("Authorization: Bearer of-the-collector\nX-Tenant: a: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x, lost := made(t, config.Traces{Endpoint: to.URL, HeadersFile: headers, SampleRatio: 0})
	id := serve(x, map[string]string{"Traceparent": "00-" + theirs + "-b7ad6b7169203331-01"})
	if err := x.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id != theirs || lost.Load() != 0 || to.seen.Get("Authorization") != "Bearer of-the-collector" || to.seen.Get("X-Tenant") != "a: b" {
		t.Errorf("trace %s, %d lost, headers %v", id, lost.Load(), to.seen)
	}
	text := func(kv []*commonpb.KeyValue) (out []string) {
		for _, a := range kv {
			out = append(out, a.Key+"="+strings.Trim(a.Value.String()[strings.Index(a.Value.String(), ":")+1:], `"`))
		}
		return out
	}
	var got []string
	root := to.spans[len(to.spans)-1]
	for _, s := range to.spans {
		under := map[string]string{string(root.SpanId): "request"}[string(s.ParentSpanId)]
		got = append(got, strings.Join(append([]string{s.Name, s.Kind.String(), s.Status.GetCode().String(), under}, text(s.Attributes)...), " "))
	}
	want := []string{
		"redis decide SPAN_KIND_CLIENT STATUS_CODE_UNSET request stormproof.outcome=ok",
		"kubernetes create remediationrequests SPAN_KIND_CLIENT STATUS_CODE_UNSET request stormproof.outcome=AlreadyExists",
		"redis settle SPAN_KIND_CLIENT STATUS_CODE_ERROR request stormproof.outcome=failed",
		"POST " + route + " SPAN_KIND_SERVER STATUS_CODE_ERROR  http.route=" + route + " stormproof.alerts.created=2 http.response.status_code=503",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotSampledOrNotAskedForMakesNoSpan(t *testing.T) {
	to := newReceiver(t)
	for name, c := range map[string]config.Traces{"off": {SampleRatio: 1}, "none in a hundred": {Endpoint: to.URL}, "all": {Endpoint: to.URL, SampleRatio: 1}} {
		t.Run(name, func(t *testing.T) {
			to.spans = nil
			x, _ := made(t, c)
			_, done := x.Call(context.Background(), "kubernetes update remediationrequests/status")
			done("ok")
			_, end := x.Request(httptest.NewRequest(http.MethodGet, "/readyz", nil), "/readyz")
			end(http.StatusOK)
			if name != "all" {
				serve(x, nil)
			}
			if err := x.Stop(t.Context()); err != nil || len(to.spans) != 0 {
				t.Errorf("%d spans, %v", len(to.spans), err)
			}
		})
	}
}

func TestACollectorThatIsAwayCostsSpansOnly(t *testing.T) {
	hang := make(chan struct{})
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"refuses": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) },
		"hangs":   func(_ http.ResponseWriter, r *http.Request) { <-hang },
	} {
		t.Run(name, func(t *testing.T) {
			to := newReceiver(t)
			to.answer = answer
			x, lost := made(t, config.Traces{Endpoint: to.URL, SampleRatio: 1})
			const requests = mostWaiting // of four spans each
			for range requests {
				serve(x, nil)
			}
			if n := x.queue.waiting.Load(); n > mostWaiting {
				t.Errorf("%d spans wait", n)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := x.Stop(ctx); err != nil {
				t.Error(err)
			}
			if lost.Load() != 4*requests {
				t.Errorf("%d spans are counted as lost, want %d", lost.Load(), 4*requests)
			}
			if name == "hangs" {
				close(hang)
			}
		})
	}
}

// A collector on the same machine once answered before the end was heard of.
func TestWhoGaveUpSendsNothingMore(t *testing.T) {
	for range 50 {
		to := newReceiver(t)
		x, lost := made(t, config.Traces{Endpoint: to.URL, SampleRatio: 1})
		serve(x, nil)
		x.queue.giveUp()
		if err := x.Stop(t.Context()); err != nil || lost.Load() != 4 || len(to.spans) != 0 {
			t.Fatalf("%v, %d lost, %d sent", err, lost.Load(), len(to.spans))
		}
	}
}

func TestABatchIsSentAgainWhereThatHelps(t *testing.T) {
	to := newReceiver(t)
	var posts atomic.Int64
	to.answer = func(w http.ResponseWriter, _ *http.Request) {
		if posts.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	x, lost := made(t, config.Traces{Endpoint: to.URL, SampleRatio: 1})
	serve(x, nil)
	if err := x.Stop(t.Context()); err != nil || lost.Load() != 0 || posts.Load() != 2 {
		t.Errorf("%v, %d lost, %d posts", err, lost.Load(), posts.Load())
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("Good: yes\nno header\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]config.Traces{
		"telemetry.traces.headersFile: " + file + ":2: write Name: value": {HeadersFile: file},
		"telemetry.traces.caFile: " + file + " holds no certificate":      {CAFile: file},
		"telemetry.traces.headersFile: open /none":                        {HeadersFile: "/none"},
		"telemetry.traces.caFile: open /none":                             {CAFile: "/none"},
	} {
		c.Endpoint = "https://collector:4318"
		if _, err := New(c, slog.New(slog.DiscardHandler), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if ID(trace.ContextWithSpanContext(t.Context(), trace.SpanContext{})) != "" {
		t.Error("no trace has an id")
	}
}
