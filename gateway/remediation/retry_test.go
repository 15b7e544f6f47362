package remediation

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestPauseSpreadsThoseWhoWereToldTheSameTime(t *testing.T) {
	for name, tc := range map[string]struct {
		asked   time.Duration
		attempt int
		jitter  float64
		want    time.Duration
	}{
		"never earlier than the server asked":     {time.Second, 0, 0, time.Second},
		"up to a second more":                     {4 * time.Second, 0, 0.5, 4500 * time.Millisecond},
		"half the backoff at least when not told": {0, 0, 0, firstPause / 2},
		"the backoff doubles":                     {0, 1, 0, firstPause},
		"and is bounded":                          {0, 60, 1, lastPause},
	} {
		c := Caller{Jitter: func() float64 { return tc.jitter }}
		if got := c.pause(tc.asked, tc.attempt); got != tc.want {
			t.Errorf("%s: pause %s, want %s", name, got, tc.want)
		}
	}
}

func TestAWaitThatCannotEndInTimeIsNotBegun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tries := 0
	err := Caller{Timeout: time.Minute}.Do(ctx, "create", "x", func(context.Context) error {
		tries++
		return apierrors.NewTooManyRequests("busy", 3600)
	})
	if !apierrors.IsTooManyRequests(err) || tries != 1 || ctx.Err() != nil {
		t.Errorf("%d tries, %v; want the refusal at once", tries, err)
	}
}

func TestWhatTheServerAskedIsTheCallersToKeep(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	c := &http.Client{Transport: OwnRetries(http.DefaultTransport)}
	ask := func(ctx context.Context) (header string) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.Header.Get("Retry-After")
	}
	asked, _ := Caller{Timeout: time.Second}.once(t.Context(), "create", "x", func(ctx context.Context) error {
		if header := ask(ctx); header != "" {
			t.Errorf("the client sees Retry-After %q and would wait by itself", header)
		}
		return nil
	})
	if asked != 3*time.Second {
		t.Errorf("asked %s, want 3s", asked)
	}
	if header := ask(t.Context()); header != "3" {
		t.Errorf("a call of nobody's has Retry-After %q, want 3", header)
	}
}
