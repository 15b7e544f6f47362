package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/gateway"
	"github.com/stormproof/stormproof/gateway/config"
)

// closed is an address at which nothing listens: no system hands out port 1 by itself, so
// nobody can take it while a test runs.
const closed = "127.0.0.1:1"

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// lonely are the options of a gateway that can reach neither Redis nor Kubernetes.
func lonely() gateway.Options {
	c := config.Defaults()
	c.Listen.Public, c.Listen.Admin = "127.0.0.1:0", "127.0.0.1:0"
	c.Redis.Addr = closed
	c.Redis.Timeout, c.Limits.RequestTimeout = 200*time.Millisecond, 500*time.Millisecond
	c.Kubernetes.Timeout = 300 * time.Millisecond
	return gateway.Options{Config: c, RESTConfig: &rest.Config{Host: "http://" + closed}}
}

// noLeaks checks at the end that nothing of the gateway runs any more.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// reply is an answer of the gateway.
type reply struct {
	code       int
	body       string
	retryAfter string
}

// ask sends a request on a connection of its own; with a body it is a POST.
func ask(t *testing.T, url, body string) reply {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, string(b), res.Header.Get("Retry-After")}
}

// start runs a gateway; the function that it returns stops it and waits.
func start(t *testing.T, o gateway.Options) (*gateway.Gateway, func() error) {
	t.Helper()
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	return g, func() error { cancel(); return <-done }
}

func TestAGatewayThatReachesNothingStartsSaysSoAndStops(t *testing.T) {
	noLeaks(t)
	g, stop := start(t, lonely())
	public, admin := "http://"+g.Addr(), "http://"+g.AdminAddr()
	if got := ask(t, public+"/healthz", ""); got.code != http.StatusOK {
		t.Errorf("/healthz: %+v, want 200: the process is alive", got)
	}
	ready := ask(t, public+"/readyz", "")
	var said struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal([]byte(ready.body), &said); err != nil || ready.code != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %+v, %v; want 503", ready, err)
	}
	for _, name := range []string{"redis", "kubernetes"} {
		if cause := said.Dependencies[name]; cause == "" || cause == "ok" {
			t.Errorf("/readyz says %q of %s, want a cause", cause, name)
		}
	}
	alerts := ask(t, public+"/api/v1/alerts/alertmanager",
		`{"alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z"}]}`)
	if alerts.code != http.StatusServiceUnavailable || alerts.retryAfter == "" || !strings.Contains(alerts.body, "redis-unavailable") {
		t.Errorf("an alert got %+v, want 503 with Retry-After and the cause", alerts)
	}
	if got := ask(t, admin+"/metrics", ""); got.code != http.StatusOK || !strings.Contains(got.body, "stormproof_http_requests_total") {
		t.Errorf("/metrics: %d", got.code)
	}
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Addr()); err == nil {
		_ = c.Close()
		t.Error("a stopped gateway still listens")
	}
}

func TestAPortThatIsTakenIsToldWithItsSettingAndNothingIsLeft(t *testing.T) {
	for field, set := range map[string]func(*config.Config, string){
		"listen.public": func(c *config.Config, addr string) { c.Listen.Public = addr },
		"listen.admin":  func(c *config.Config, addr string) { c.Listen.Admin = addr },
	} {
		t.Run(field, func(t *testing.T) {
			noLeaks(t)
			taken := listen(t)
			defer func() { _ = taken.Close() }()
			o := lonely()
			set(&o.Config, taken.Addr().String())
			_, err := gateway.New(o)
			if !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatalf("got %v, want that the address is in use", err)
			}
			for _, part := range []string{field, taken.Addr().String(), "taken by another process", "set " + field + " to another address"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
		})
	}
}

// TestAFailedStartGivesItsFirstPortBack: the public listener was bound before the admin
// listener failed.
func TestAFailedStartGivesItsFirstPortBack(t *testing.T) {
	noLeaks(t)
	taken := listen(t)
	defer func() { _ = taken.Close() }()
	free := listen(t)
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	o := lonely()
	o.Config.Listen.Public, o.Config.Listen.Admin = free.Addr().String(), taken.Addr().String()
	if _, err := gateway.New(o); err == nil {
		t.Fatal("want an error for the taken admin port")
	}
	again, err := new(net.ListenConfig).Listen(t.Context(), "tcp", o.Config.Listen.Public)
	if err != nil {
		t.Fatalf("the public port was not given back: %v", err)
	}
	_ = again.Close()
}

func TestAWrongConfigurationIsRefusedBeforeAnythingIsBound(t *testing.T) {
	noLeaks(t)
	o := lonely()
	o.Config.Redis.Prefix = ""
	if _, err := gateway.New(o); err == nil || !strings.Contains(err.Error(), "redis.prefix") {
		t.Errorf("got %v, want the setting named", err)
	}
}
