package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Tap is a server between a real client and the gateway: it passes every webhook on
// through a Client, so that both directions land in the history.
type Tap struct {
	client *Client
	name   string
	server *http.Server
	addr   string
	count  atomic.Int64
	done   sync.WaitGroup
	// failure is the first error of the harness itself.
	failure atomic.Pointer[error]
	// onResponse, if not nil, sees every answer.
	onResponse func(Response)
}

// NewTap listens on loopback; name becomes the step id of the recorded requests, and
// onResponse, if not nil, is told every answer.
func NewTap(ctx context.Context, client *Client, name string, onResponse func(Response)) (*Tap, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the tap: %w", err)
	}
	t := &Tap{client: client, name: name, addr: l.Addr().String(), onResponse: onResponse}
	t.server = &http.Server{Handler: http.HandlerFunc(t.pass), ReadHeaderTimeout: 10 * time.Second}
	t.done.Go(func() {
		if err := t.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.fail(err)
		}
	})
	return t, nil
}

// URL is the base of the tap, without a trailing slash.
func (t *Tap) URL() string { return "http://" + t.addr }

// Close stops the tap, waits for its goroutines, and returns the first error of its own.
func (t *Tap) Close(ctx context.Context) error {
	err := t.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, t.server.Close())
	}
	t.done.Wait()
	if p := t.failure.Load(); p != nil {
		err = errors.Join(err, *p)
	}
	return err
}

func (t *Tap) fail(err error) { t.failure.CompareAndSwap(nil, &err) }

func (t *Tap) pass(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	req := Request{ID: fmt.Sprintf("%s-%d", t.name, t.count.Add(1)), Name: t.name,
		Method: r.Method, Path: r.URL.Path, Body: body}
	var payload Payload
	if err := json.Unmarshal(body, &payload); err != nil {
		req.Opaque = true
	} else {
		req.Alerts = payload.Seen()
	}
	resp, err := t.client.Send(r.Context(), req)
	if err != nil {
		t.fail(err)
	}
	if t.onResponse != nil {
		t.onResponse(resp)
	}
	if resp.Status == 0 {
		// Nothing came back: let the client see the same, a broken connection.
		panic(http.ErrAbortHandler)
	}
	for _, h := range []string{"Content-Type", "Retry-After"} {
		if v := resp.Header.Get(h); v != "" {
			w.Header().Set(h, v)
		}
	}
	w.WriteHeader(resp.Status)
	if _, err := io.Copy(w, bytes.NewReader(resp.Body)); err != nil {
		return // the client went away; its retry will be recorded as another request
	}
}
