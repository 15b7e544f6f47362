package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// RequestInfo is one request that reached the KubeProxy.
type RequestInfo struct {
	Verb, Group, Resource, Subresource, Namespace, Name string
	// Code is the status that the client is sent, 0 for no answer.
	Code int
	// Duration is from the request's arrival to the beginning of its answer, or to its end
	// when there is none.
	Duration time.Duration
}

// KubeProxy is an HTTP proxy in front of an API server. It speaks plain HTTP on loopback
// and adds the upstream's credentials, whatever the client sends of its own.
type KubeProxy struct {
	addr    string
	server  *http.Server
	forward *httputil.ReverseProxy
	idle    func()
	stop    context.CancelFunc
	// stopping is closed by stop; running are the listener and the connections, requests
	// the requests, which outlive a connection that a fault took over.
	stopping <-chan struct{}
	running  sync.WaitGroup
	requests sync.WaitGroup

	mu     sync.Mutex
	faults []*armed
	// watches are those that are open, oldest first.
	watches []*call
	counts  map[string]int64
	hook    func(RequestInfo)
	closed  bool
}

// NewKubeProxy listens on a free loopback port in front of the API server of a client
// configuration. The context bounds the start alone: the proxy works until Close.
func NewKubeProxy(ctx context.Context, upstream *rest.Config) (*KubeProxy, error) {
	transport, idle, err := ownTransport(upstream)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's credentials: %w", err)
	}
	target, _, err := rest.DefaultServerUrlFor(upstream)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's address: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the Kubernetes proxy on loopback: %w", err)
	}
	lifetime, stop := context.WithCancel(context.WithoutCancel(ctx))
	quiet := log.New(io.Discard, "", 0) // broken connections are what this proxy is for
	p := &KubeProxy{addr: listener.Addr().String(), idle: idle, stop: stop, stopping: lifetime.Done(),
		counts: map[string]int64{}}
	p.forward = &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, ErrorLog: quiet, ErrorHandler: unreachable,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
		}}
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet,
		BaseContext: func(net.Listener) context.Context { return lifetime }, ConnState: p.track}
	p.running.Go(func() { _ = p.server.Serve(listener) }) // it ends when Close closes it, and says just that
	return p, nil
}

// ownTransport is a transport that nobody shares: rest.TransportFor hands out cached ones,
// whose connections would outlive the proxy.
func ownTransport(config *rest.Config) (http.RoundTripper, func(), error) {
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, nil, err
	}
	base := &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}
	transport, err := rest.HTTPWrappersForConfig(config, base)
	return transport, base.CloseIdleConnections, err
}

// RESTConfig is for clients that shall go through the proxy. It needs no credentials.
func (p *KubeProxy) RESTConfig() *rest.Config { return &rest.Config{Host: "http://" + p.addr} }

// OnRequest sets a function that hears of each request once, just before its answer begins
// or when it ends without one. Set it before the first request.
func (p *KubeProxy) OnRequest(hook func(RequestInfo)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hook = hook
}

// Counts says how often each request was made, by "verb resource" or "verb
// resource/subresource", for example "update remediationrequests/status".
func (p *KubeProxy) Counts() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Arm injects a fault. Faults that stand together meet a request in the order of arming.
func (p *KubeProxy) Arm(_ context.Context, spec Spec) (Handle, error) {
	if err := Validate(spec); err != nil {
		return nil, err
	}
	if spec.Target != Kubernetes {
		return nil, &SpecError{"target", "this proxy stands in front of Kubernetes", "write kubernetes"}
	}
	a := newArmed(spec)
	a.detach = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.faults = slices.DeleteFunc(p.faults, func(x *armed) bool { return x == a })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, a)
	if spec.Kind == WatchDrop {
		dropOpen(a, p.watches)
	}
	return a, nil
}

// Close ends every request and connection and waits for the proxy's goroutines; it fails
// when they do not end before the context does. A second call does nothing.
func (p *KubeProxy) Close(ctx context.Context) error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if !first {
		return nil
	}
	p.stop()
	err := p.server.Close()
	if waitErr := errors.Join(wait(ctx, &p.requests), wait(ctx, &p.running)); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("waiting for the Kubernetes proxy's requests to end: %w", waitErr))
	}
	p.idle()
	return err
}

// track counts connections: the server starts their goroutines and waits for none.
func (p *KubeProxy) track(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		p.running.Done()
	}
}
