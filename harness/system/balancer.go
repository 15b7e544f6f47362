package system

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// quarantine is how long a replica that refused a connection is passed over.
const quarantine = 100 * time.Millisecond

// Balancer is one address in front of several replicas, which are taken in turn. A replica
// that refuses the connection has seen nothing of the request, so the next one gets it. Any
// later error reaches the client as a broken connection: the request may have taken effect,
// and only the client may decide to send it again.
type Balancer struct {
	server    *http.Server
	transport *http.Transport
	addr      string
	done      sync.WaitGroup

	mu       sync.Mutex
	backends []*backend
	next     int
}

type backend struct {
	host string
	out  time.Time
}

// NewBalancer listens on a free loopback port, in front of nothing yet.
func NewBalancer(ctx context.Context) (*Balancer, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Balancer{addr: l.Addr().String(), transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}
	silent := log.New(discard{}, "", 0)
	b.server = &http.Server{ErrorLog: silent, ReadHeaderTimeout: 10 * time.Second, Handler: &httputil.ReverseProxy{
		Transport: b, ErrorLog: silent, FlushInterval: -1,
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "replica" },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	b.done.Go(func() { _ = b.server.Serve(l) }) // it ends when Close does
	return b, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// URL is the address in front of all replicas.
func (b *Balancer) URL() string { return "http://" + b.addr }

// Set replaces the replicas by those at these base URLs.
func (b *Balancer) Set(urls []string) error {
	var list []*backend
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil {
			return err
		}
		list = append(list, &backend{host: u.Host})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = list
	return nil
}

// RoundTrip implements http.RoundTripper for the proxy: the choice of the replica.
func (b *Balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	last := errors.New("there is no replica")
	for _, candidate := range b.order() {
		attempt := r.Clone(r.Context())
		attempt.URL.Host = candidate.host
		if r.ContentLength != 0 {
			attempt.Body = io.NopCloser(r.Body) // a failed dial closes it, and the next one needs it
		}
		res, err := b.transport.RoundTrip(attempt)
		var op *net.OpError
		if err == nil || !errors.As(err, &op) || op.Op != "dial" {
			return res, err
		}
		b.mu.Lock()
		candidate.out = time.Now().Add(quarantine)
		b.mu.Unlock()
		last = err
	}
	return nil, last
}

// order lists the replicas from the one whose turn it is; those that lately refused come last.
func (b *Balancer) order() []*backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	var good, bad []*backend
	now := time.Now()
	for i := range b.backends {
		candidate := b.backends[(b.next+i)%len(b.backends)]
		if now.Before(candidate.out) {
			bad = append(bad, candidate)
		} else {
			good = append(good, candidate)
		}
	}
	b.next++
	return append(good, bad...)
}

// Close cuts what is open and waits for the server to end.
func (b *Balancer) Close() error {
	err := b.server.Close()
	b.done.Wait()
	b.transport.CloseIdleConnections()
	return err
}
