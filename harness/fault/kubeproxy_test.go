package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

const (
	things = "/apis/g.dev/v1/namespaces/ns/things"
	token  = "the-upstream-token"
)

// apiServer is as much of an API server as a proxy can see: it keeps a log of what it did,
// answers objects, and streams watches a line at a time.
type apiServer struct {
	*httptest.Server
	// lines are sent on every open watch, one receiver each; gone hears a watch end.
	lines chan string
	gone  chan struct{}

	mu   sync.Mutex
	done []string
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.done = append(s.done, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Query().Get("watch") != "true" {
		_, _ = fmt.Fprintf(w, `{"path":%q,"padding":%q}`, r.URL.Path, strings.Repeat("x", 400))
		return
	}
	defer func() { s.gone <- struct{}{} }()
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case line := <-s.lines:
			_, _ = io.WriteString(w, line)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// log is what reached the server.
func (s *apiServer) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.done...)
}

// kubeWorld is an API server, the proxy before it, and a plain client.
func kubeWorld(t *testing.T) (*apiServer, *KubeProxy, *http.Client) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	s := &apiServer{lines: make(chan string), gone: make(chan struct{}, 16)}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.StartTLS()
	ca := s.TLS.Certificates[0].Certificate[0]
	p, err := NewKubeProxy(t.Context(), &rest.Config{Host: s.URL, BearerToken: token,
		TLSClientConfig: rest.TLSClientConfig{CAData: pemOf(ca)}})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := p.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return s, p, &http.Client{Transport: transport}
}

// reply is a whole answer.
type reply struct {
	code             int
	retryAfter, body string
}

// ask makes a request and reads the answer; an error is one of the transport.
func ask(ctx context.Context, c *http.Client, p *KubeProxy, method, path string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.RESTConfig().Host+path, strings.NewReader("{}"))
	if err != nil {
		return reply{}, err
	}
	res, err := c.Do(r)
	if err != nil {
		return reply{}, err
	}
	data, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header.Get("Retry-After"), string(data)}, errors.Join(err, res.Body.Close())
}

func wantCode(t *testing.T, c *http.Client, p *KubeProxy, method, path string, want int) {
	t.Helper()
	if got, err := ask(t.Context(), c, p, method, path); err != nil || got.code != want {
		t.Errorf("%s %s: %d, %v; want %d", method, path, got.code, err, want)
	}
}

func wantNoAnswer(t *testing.T, c *http.Client, p *KubeProxy, method, path string) error {
	t.Helper()
	got, err := ask(t.Context(), c, p, method, path)
	if err == nil {
		t.Errorf("%s %s: %d, want no answer", method, path, got.code)
	}
	return err
}

func TestKubePassesThroughWithTheUpstreamsCredentials(t *testing.T) {
	s, p, c := kubeWorld(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.RESTConfig().Host+things, strings.NewReader(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer of-the-client")
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("got %s, %v; want 200", res.Status, err)
	}
	if diff := cmp.Diff([]string{"POST " + things + ` {"a":1}`}, s.log()); diff != "" {
		t.Errorf("the server saw (-want +got):\n%s", diff)
	}
}

func TestKubeStatusIsOneThatClientGoUnderstands(t *testing.T) {
	tests := map[string]struct {
		spec  Spec
		verb  string
		check func(error) bool
	}{
		"429 with a delay is too many requests":        {Spec{Code: 429, RetryAfter: 7}, "POST", apierrors.IsTooManyRequests},
		"500 is an internal error":                     {Spec{Code: 500}, "POST", apierrors.IsInternalError},
		"503 is service unavailable":                   {Spec{Code: 503}, "POST", apierrors.IsServiceUnavailable},
		"504 is a timeout":                             {Spec{Code: 504}, "POST", apierrors.IsTimeout},
		"403 is forbidden":                             {Spec{Code: 403}, "POST", apierrors.IsForbidden},
		"409 to a create is already exists":            {Spec{Code: 409}, "POST", apierrors.IsAlreadyExists},
		"409 to an update is a conflict":               {Spec{Code: 409}, "PUT", apierrors.IsConflict},
		"a given reason replaces the code's own one":   {Spec{Code: 403, Reason: "NotFound"}, "POST", apierrors.IsNotFound},
		"422 is invalid":                               {Spec{Code: 422}, "POST", apierrors.IsInvalid},
		"404 is not found, also where the verb is get": {Spec{Code: 404}, "GET", apierrors.IsNotFound},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s, p, c := kubeWorld(t)
			tc.spec.ID, tc.spec.Target, tc.spec.Kind = "s", Kubernetes, Status
			h := arm(t, p, tc.spec)
			got, err := ask(t.Context(), c, p, tc.verb, things)
			if err != nil {
				t.Fatal(err)
			}
			var status metav1.Status
			if err := runtime.DecodeInto(decoder(), []byte(got.body), &status); err != nil {
				t.Fatalf("reading %s: %v", got.body, err)
			}
			if !tc.check(apierrors.FromObject(&status)) || got.code != tc.spec.Code {
				t.Errorf("%d with %s is not what was asked for", got.code, got.body)
			}
			wait := ""
			if tc.spec.RetryAfter > 0 {
				wait = fmt.Sprint(tc.spec.RetryAfter)
			}
			if got.retryAfter != wait {
				t.Errorf("Retry-After = %q, want %q", got.retryAfter, wait)
			}
			if len(s.log()) != 0 {
				t.Errorf("the API server saw %v, want nothing", s.log())
			}
			wantCounts(t, h, 1, 1)
		})
	}
}

func TestKubeFaultHitsByCountAndMatch(t *testing.T) {
	_, p, c := kubeWorld(t)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: Status, Code: 503, After: 1, Times: 2,
		Match: Match{Verb: "create", Resource: "things"}})
	for _, want := range []int{200, 503, 503, 200} {
		wantCode(t, c, p, http.MethodGet, things, 200)
		wantCode(t, c, p, http.MethodPost, things, want)
	}
	wantCounts(t, h, 4, 2)
}

func TestKubeFaultThatMatchesNothingAppliesNothing(t *testing.T) {
	_, p, c := kubeWorld(t)
	h := arm(t, p, Spec{ID: "x", Target: Kubernetes, Kind: Reset, Times: 1, Match: Match{Namespace: "other"}})
	wantCode(t, c, p, http.MethodPost, things, 200)
	remove(t, h)
	remove(t, h)
	if diff := cmp.Diff(Receipt{ID: "x", Target: Kubernetes, Kind: Reset, Planned: 1}, h.Receipt()); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
}

func TestKubeLatencyDelaysExactlyTheMatchesPlanned(t *testing.T) {
	_, p, c := kubeWorld(t)
	const delay = 50 * time.Millisecond
	h := arm(t, p, Spec{Target: Kubernetes, Kind: Latency, Delay: delay, Times: 2})
	for i := range 3 {
		begin := time.Now()
		wantCode(t, c, p, http.MethodPost, things, 200)
		if took := time.Since(begin); i < 2 && took < delay {
			t.Errorf("request %d took %s, want at least %s", i+1, took, delay)
		}
	}
	wantCounts(t, h, 3, 2)
}

func TestKubeLatencyLetsGoWhenItIsRemoved(t *testing.T) {
	_, p, c := kubeWorld(t)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: Latency, Delay: time.Hour})
	var held sync.WaitGroup
	held.Go(func() { wantCode(t, c, p, http.MethodPost, things, 200) })
	eventually(t, "the request is held", func() bool { return h.Receipt().Applied == 1 })
	remove(t, h)
	held.Wait()
}

func TestKubeHeldRequestsEndWithTheirClient(t *testing.T) {
	for _, spec := range []Spec{{Kind: Hang}, {Kind: Latency, Delay: time.Hour}} {
		t.Run(spec.Kind+" ends when the client gives up", func(t *testing.T) {
			s, p, c := kubeWorld(t)
			told := make(chan RequestInfo, 1)
			p.OnRequest(func(r RequestInfo) { told <- r })
			spec.Target = Kubernetes
			h := arm(t, p, spec)
			ctx, cancel := context.WithCancel(t.Context())
			var held sync.WaitGroup
			held.Go(func() {
				if _, err := ask(ctx, c, p, http.MethodPost, things); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want the client's own cancellation", err)
				}
			})
			eventually(t, "the request is held", func() bool { return h.Receipt().Applied == 1 })
			cancel()
			held.Wait()
			if r := <-told; r.Code != 0 {
				t.Errorf("told code %d, want 0 for no answer", r.Code)
			}
			if len(s.log()) != 0 {
				t.Errorf("the API server saw %v, want nothing", s.log())
			}
		})
	}
}

func TestKubeHangEndsWhenItIsRemoved(t *testing.T) {
	_, p, c := kubeWorld(t)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: Hang})
	var held sync.WaitGroup
	held.Go(func() { _ = wantNoAnswer(t, c, p, http.MethodPost, things) })
	eventually(t, "the request hangs", func() bool { return h.Receipt().Applied == 1 })
	remove(t, h)
	held.Wait()
	wantCode(t, c, p, http.MethodPost, things, 200)
	wantCounts(t, h, 1, 1)
}

func TestKubeResetComesBeforeTheAPIServer(t *testing.T) {
	s, p, c := kubeWorld(t)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: Reset, Times: 2})
	for range 2 {
		if err := wantNoAnswer(t, c, p, http.MethodPost, things); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want a reset", err)
		}
	}
	if len(s.log()) != 0 {
		t.Errorf("the API server saw %v, want nothing", s.log())
	}
	wantCode(t, c, p, http.MethodPost, things, 200)
	wantCounts(t, h, 3, 2)
}

func TestKubeReplyLostHappensAfterTheRequestTookEffect(t *testing.T) {
	s, p, c := kubeWorld(t)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: ReplyLost, Times: 2})
	for range 2 {
		_ = wantNoAnswer(t, c, p, http.MethodPost, things)
	}
	wantCode(t, c, p, http.MethodPost, things, 200)
	if got := len(s.log()); got != 3 {
		t.Errorf("the API server saw %d requests, want all 3", got)
	}
	wantCounts(t, h, 3, 2)
}

func TestKubeReplyLostCountsOnlyWhatReachedTheServer(t *testing.T) {
	s, p, c := kubeWorld(t)
	s.Close()
	h := arm(t, p, Spec{Target: Kubernetes, Kind: ReplyLost, Times: 1})
	wantCode(t, c, p, http.MethodPost, things, http.StatusBadGateway)
	wantCounts(t, h, 1, 0)
}

func TestKubeReplyLostLeavesWatchesAlone(t *testing.T) {
	s, p, c := kubeWorld(t)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: ReplyLost})
	w := openWatch(t, c, p)
	w.follow(t, s, "one\n")
	wantCounts(t, h, 0, 0)
}

func TestKubeSlowBodyKeepsToItsRate(t *testing.T) {
	_, p, c := kubeWorld(t)
	whole, err := ask(t.Context(), c, p, http.MethodGet, things)
	if err != nil {
		t.Fatal(err)
	}
	h := arm(t, p, Spec{Target: Kubernetes, Kind: SlowBody, BytesPerSecond: 4000, Times: 1})
	begin := time.Now()
	got, err := ask(t.Context(), c, p, http.MethodGet, things)
	if err != nil || got != whole {
		t.Errorf("got %q, %v; want the whole body", got.body, err)
	}
	if took := time.Since(begin); took < 90*time.Millisecond {
		t.Errorf("%d bytes at 4000 a second took %s, want about 0.1 s", len(got.body), took)
	}
	wantCounts(t, h, 1, 1)
}

func TestKubeSlowBodyGoesOnAtFullSpeedWhenItIsRemoved(t *testing.T) {
	_, p, c := kubeWorld(t)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: SlowBody, BytesPerSecond: 1})
	var slow sync.WaitGroup
	slow.Go(func() { wantCode(t, c, p, http.MethodGet, things, 200) })
	eventually(t, "the answer is slow", func() bool { return h.Receipt().Applied == 1 })
	remove(t, h)
	slow.Wait()
}

func TestKubeWatchDropEndsOpenWatchesOldestFirst(t *testing.T) {
	s, p, c := kubeWorld(t)
	first, second := openWatch(t, c, p), openWatch(t, c, p)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: WatchDrop, Times: 1})
	first.wantBroken(t)
	<-s.gone
	second.follow(t, s, "still here\n")
	wantCode(t, c, p, http.MethodGet, things, 200)
	wantCounts(t, h, 2, 1)
}

func TestKubeWatchDropEndsNewWatchesUntilItIsRemoved(t *testing.T) {
	s, p, c := kubeWorld(t)
	h := arm(t, p, Spec{Target: Kubernetes, Kind: WatchDrop})
	for range 2 {
		if _, err := ask(t.Context(), c, p, http.MethodGet, things+"?watch=true"); err == nil {
			t.Error("a watch ended in an orderly way, want it broken off")
		}
	}
	wantCounts(t, h, h.Receipt().Applied, h.Receipt().Applied)
	if h.Receipt().Applied < 2 {
		t.Errorf("applied %d, want every watch", h.Receipt().Applied)
	}
	remove(t, h)
	openWatch(t, c, p).follow(t, s, "back\n")
}

func TestKubeTellsOfRequestsBeforeTheirAnswerIsSeen(t *testing.T) {
	_, p, c := kubeWorld(t)
	var mu sync.Mutex
	var told []RequestInfo
	p.OnRequest(func(r RequestInfo) {
		mu.Lock()
		defer mu.Unlock()
		if r.Duration <= 0 {
			t.Errorf("duration of %s = %s, want more than nothing", r.Verb, r.Duration)
		}
		r.Duration = 0
		told = append(told, r)
	})
	arm(t, p, Spec{Target: Kubernetes, Kind: Status, Code: 503, Match: Match{Subresource: "status"}})
	arm(t, p, Spec{Target: Kubernetes, Kind: Reset, Match: Match{Verb: "delete"}})
	wantCode(t, c, p, http.MethodPost, things, 200)
	wantCode(t, c, p, http.MethodPut, things+"/t/status", 503)
	_ = wantNoAnswer(t, c, p, http.MethodDelete, things+"/t")
	openWatch(t, c, p)
	object := RequestInfo{Group: "g.dev", Resource: "things", Namespace: "ns"}
	want := []RequestInfo{object, object, object, object}
	want[0].Verb, want[0].Code = "create", 200
	want[1].Verb, want[1].Code, want[1].Name, want[1].Subresource = "update", 503, "t", "status"
	want[2].Verb, want[2].Name = "delete", "t"
	want[3].Verb, want[3].Code = "watch", 200
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	counts := map[string]int64{"create things": 1, "update things/status": 1, "delete things": 1, "watch things": 1}
	if diff := cmp.Diff(counts, p.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestKubeFaultsStandTogether(t *testing.T) {
	_, p, c := kubeWorld(t)
	slow := arm(t, p, Spec{Target: Kubernetes, Kind: Latency, Delay: 20 * time.Millisecond})
	busy := arm(t, p, Spec{Target: Kubernetes, Kind: Status, Code: 429})
	never := arm(t, p, Spec{Target: Kubernetes, Kind: Reset})
	begin := time.Now()
	wantCode(t, c, p, http.MethodPost, things, 429)
	if took := time.Since(begin); took < 20*time.Millisecond {
		t.Errorf("took %s, want the delay first", took)
	}
	wantCounts(t, slow, 1, 1)
	wantCounts(t, busy, 1, 1)
	wantCounts(t, never, 0, 0)
}

func TestKubeCloseEndsWhatFaultsHold(t *testing.T) {
	_, p, c := kubeWorld(t)
	hung := arm(t, p, Spec{Target: Kubernetes, Kind: Hang, Match: Match{Verb: "create"}})
	slow := arm(t, p, Spec{Target: Kubernetes, Kind: Latency, Delay: time.Hour, Match: Match{Verb: "update"}})
	w := openWatch(t, c, p)
	var held sync.WaitGroup
	held.Go(func() { _ = wantNoAnswer(t, c, p, http.MethodPost, things) })
	held.Go(func() { _ = wantNoAnswer(t, c, p, http.MethodPut, things+"/t") })
	eventually(t, "both are held", func() bool { return hung.Receipt().Applied == 1 && slow.Receipt().Applied == 1 })
	if err := errors.Join(p.Close(t.Context()), p.Close(t.Context())); err != nil {
		t.Error(err)
	}
	held.Wait()
	w.wantBroken(t)
}

func TestKubeProxyRefusesWhatItCannotDo(t *testing.T) {
	_, p, _ := kubeWorld(t)
	for name, spec := range map[string]Spec{
		"an unknown kind":             {Target: Kubernetes, Kind: "explode"},
		"a fault of the other target": {Target: Redis, Kind: Cut},
	} {
		t.Run(name, func(t *testing.T) {
			var want *SpecError
			if _, err := p.Arm(t.Context(), spec); !errors.As(err, &want) {
				t.Errorf("Arm = %v, want a *SpecError", err)
			}
		})
	}
}

func TestKubeProxyNeedsReadableCredentials(t *testing.T) {
	_, err := NewKubeProxy(t.Context(), &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: []byte("no certificate")}})
	if err == nil {
		t.Error("want an error for credentials that cannot be read")
	}
}
