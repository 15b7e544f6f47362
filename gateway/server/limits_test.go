package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/panics"
	"github.com/stormproof/stormproof/gateway/server/mocks"
)

// limited is a server whose limits a test changes.
func limited(p Processor, change func(*config.Limits)) *Server {
	l := limits
	change(&l)
	s := New(l, p, nil, NewMetrics(), slog.New(slog.DiscardHandler))
	s.random = func(n int) int { return n - 1 }
	return s
}

// busy is a processor whose batches say that they have begun, and wait until they may end.
func busy(t *testing.T, batches int) (p *mocks.Processor, begun chan struct{}, end chan struct{}) {
	p, begun, end = mocks.NewProcessor(t), make(chan struct{}, batches), make(chan struct{})
	p.EXPECT().Process(mock.Anything, mock.Anything).RunAndReturn(func(context.Context, []alert.Alert) ([]intake.Verdict, error) {
		begun <- struct{}{}
		<-end
		return []intake.Verdict{{Verdict: intake.Created}}, nil
	}).Times(batches)
	return p, begun, end
}

func TestAQueueIsBoundedInLengthAndWhoWaitsGetsItsTurn(t *testing.T) {
	p, begun, end := busy(t, 2)
	s := limited(p, func(l *config.Limits) { l.Queue, l.QueueTimeout = 1, time.Minute; l.RequestTimeout = time.Minute })
	h := s.Public()
	var all sync.WaitGroup
	codes := make(chan int, 2)
	send := func() { codes <- post(t, h, webhook).Code }
	all.Go(send)
	<-begun
	all.Go(send)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(10 * time.Second); s.queued.Load() != 1; <-look.C {
		if time.Now().After(deadline) {
			t.Fatal("the second request never waited")
		}
	}
	w := post(t, h, webhook)
	if p := wantProblem(t, w, 503, "overloaded"); !strings.Contains(p.Detail, "limits.queue") || w.Header().Get("Retry-After") != "4" {
		t.Errorf("Retry-After %q, %+v; want the jitter, and the limit", w.Header().Get("Retry-After"), p)
	}
	wantSeries(t, s, "stormproof_http_requests_in_flight 1")
	close(end)
	all.Wait()
	if a, b := <-codes, <-codes; a != 201 || b != 201 {
		t.Errorf("the one at work got %d, the one that waited %d", a, b)
	}
	wantSeries(t, s, "stormproof_http_requests_in_flight 0")
}

func TestAQueueIsBoundedInTime(t *testing.T) {
	p, begun, end := busy(t, 1)
	h := limited(p, func(l *config.Limits) { l.Queue, l.QueueTimeout = 1, 20*time.Millisecond }).Public()
	done := make(chan int)
	go func() { done <- post(t, h, webhook).Code }()
	<-begun
	if p := wantProblem(t, post(t, h, webhook), 503, "overloaded"); !strings.Contains(p.Detail, "limits.queueTimeout") {
		t.Errorf("%+v", p)
	}
	close(end)
	<-done
}

func TestBodiesShareABoundedMemory(t *testing.T) {
	p, begun, end := busy(t, 1)
	// Both sides: two bodies of this size fit exactly, and one byte more does not.
	body := webhook + strings.Repeat(" ", 1000-len(webhook))
	s := limited(p, func(l *config.Limits) { l.InFlightBytes, l.QueueTimeout = 2000, 20*time.Millisecond })
	h := s.Public()
	done := make(chan int)
	go func() { done <- post(t, h, body).Code }()
	<-begun
	wantSeries(t, s, "stormproof_http_body_bytes_in_flight 1000")
	if p := wantProblem(t, post(t, h, body+" "), 503, "overloaded"); !strings.Contains(p.Detail, "limits.inFlightBytes") {
		t.Errorf("2001 bytes of 2000: %+v", p)
	}
	if p := wantProblem(t, post(t, h, body), 503, "overloaded"); !strings.Contains(p.Detail, "limits.inFlight)") {
		t.Errorf("2000 bytes of 2000 have room, and wait for a place alone: %+v", p)
	}
	close(end)
	if code := <-done; code != 201 {
		t.Errorf("the first got %d", code)
	}
	wantSeries(t, s, "stormproof_http_body_bytes_in_flight 0")
}

// listen serves on loopback, for what needs a connection.
func listen(t *testing.T, s *Server) *httptest.Server {
	t.Helper()
	web := httptest.NewServer(s.Public())
	t.Cleanup(web.Close)
	return web
}

func TestASlowBodyIsCutOffWithoutHoldingAPlace(t *testing.T) {
	p := mocks.NewProcessor(t)
	p.EXPECT().Process(mock.Anything, mock.Anything).Return([]intake.Verdict{{Verdict: intake.Created}}, nil)
	web := listen(t, limited(p, func(l *config.Limits) { l.ReadTimeout = 300 * time.Millisecond }))
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begin := time.Now()
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", route)
	// There is one place, and it is free.
	res, err := http.Post(web.URL+route, "application/json", strings.NewReader(webhook))
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("others beside a slow client: %v, %v", res, err)
	}
	_ = res.Body.Close()
	slow, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(slow.Body)
	_ = slow.Body.Close()
	if slow.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(b), typeBase+"too-slow") || slow.Header.Get("Retry-After") != "4" || !slow.Close {
		t.Errorf("the slow one got %d %v %s", slow.StatusCode, slow.Header, b)
	}
	if took := time.Since(begin); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("it was cut off after %s, want 300ms", took)
	}
}

func TestAReadDeadlineEndsWithTheBody(t *testing.T) {
	p := mocks.NewProcessor(t)
	p.EXPECT().Process(mock.Anything, mock.Anything).RunAndReturn(func(ctx context.Context, _ []alert.Alert) ([]intake.Verdict, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(300 * time.Millisecond):
			return []intake.Verdict{{Verdict: intake.Created}}, nil
		}
	})
	web := listen(t, limited(p, func(l *config.Limits) { l.ReadTimeout = 100 * time.Millisecond }))
	res, err := http.Post(web.URL+route, "application/json", strings.NewReader(webhook))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Errorf("work that took longer than limits.readTimeout got %d", res.StatusCode)
	}
}

func TestAClientThatLeavesEndsItsWork(t *testing.T) {
	entered, left := make(chan struct{}), make(chan struct{})
	p := mocks.NewProcessor(t)
	p.EXPECT().Process(mock.Anything, mock.Anything).RunAndReturn(func(ctx context.Context, _ []alert.Alert) ([]intake.Verdict, error) {
		close(entered)
		<-ctx.Done()
		close(left)
		return nil, ctx.Err()
	})
	s := limited(p, func(l *config.Limits) { l.RequestTimeout = time.Hour })
	web := listen(t, s)
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, web.URL+route, strings.NewReader(webhook))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	go func() { <-entered; leave() }()
	if res, err := http.DefaultClient.Do(r); err == nil {
		t.Errorf("it was answered %d", res.StatusCode)
		_ = res.Body.Close()
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("the work went on for a client that had left")
	}
}

func TestAPanicInAGoroutineOfTheIntakeIsAnswered500(t *testing.T) {
	s := newServer(says(t, nil, fmt.Errorf("deciding: %w", &panics.Error{Cause: "a secret of the stack"})))
	w := post(t, s.Public(), webhook)
	wantProblem(t, w, http.StatusInternalServerError, "internal")
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the answer tells of the panic's inside: %s", w.Body)
	}
	wantSeries(t, s, "stormproof_panics_total 1")
	wantSeries(t, s, `stormproof_alerts_total{verdict="refused"} 1`)
}

func TestARateIsPerSourceAndSaysWhenToComeAgain(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := mocks.NewProcessor(t)
	p.EXPECT().Process(mock.Anything, mock.Anything).Return([]intake.Verdict{{Verdict: intake.Created}}, nil)
	s := limited(p, func(l *config.Limits) { l.Rate = config.Rate{PerSecond: 0.5, Burst: 2, Sources: 2} })
	s.now = func() time.Time { return now }
	h := s.Public()
	send := func(path, from string) *httptest.ResponseRecorder {
		return post(t, h, webhook, func(r *http.Request) { r.URL.Path, r.RemoteAddr = path, from+":1234" })
	}
	for range 2 {
		if w := send(route, "10.0.0.1"); w.Code != 201 {
			t.Fatalf("within the burst: %d", w.Code)
		}
	}
	w := send(route, "10.0.0.1")
	got := wantProblem(t, w, http.StatusServiceUnavailable, "rate-limited")
	if got.Limit != "0.5 requests a second, 2 at once" || got.Scope != "source" || got.Source != "address:10.0.0.1" ||
		got.RetryAt != "2026-01-02T03:04:07Z" || w.Header().Get("Retry-After") != "2" {
		t.Errorf("%+v, Retry-After %q", got, w.Header().Get("Retry-After"))
	}
	if w := send(eventRoute, "10.0.0.1"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "2" {
		t.Errorf("another route: %d, Retry-After %q; want 429 and 2", w.Code, w.Header().Get("Retry-After"))
	}
	if w := send(route, "10.0.0.2"); w.Code != 201 {
		t.Errorf("another source: %d", w.Code)
	}
	now = now.Add(2*time.Second - time.Nanosecond)
	if w := send(route, "10.0.0.1"); w.Code != 503 {
		t.Errorf("a nanosecond too early: %d", w.Code)
	}
	now = now.Add(time.Nanosecond)
	if w := send(route, "10.0.0.1"); w.Code != 201 {
		t.Errorf("when it was told to come: %d", w.Code)
	}
	wantSeries(t, s, `stormproof_http_requests_rate_limited_total{source="alertmanager"} 2`)
	wantSeries(t, s, `stormproof_http_requests_rate_limited_total{source="kubernetes-event"} 1`)
	for i := range 100 {
		send(route, fmt.Sprintf("10.1.0.%d", i))
	}
	if n := s.rates.Load().sources.Len(); n != 2 {
		t.Errorf("%d sources are remembered, want 2", n)
	}
	free := limits
	s.SetLimits(free)
	for range 5 {
		if w := send(route, "10.0.0.1"); w.Code != 201 {
			t.Errorf("without a rate: %d", w.Code)
		}
	}
}
