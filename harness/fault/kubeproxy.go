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
	"net/url"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// RequestInfo is one request that reached the KubeProxy.
type RequestInfo struct {
	Verb, Group, Resource, Subresource, Namespace, Name string
	// Replica is whose way to the API server it took, 0 for nobody's in particular.
	Replica int
	// Code is the status that the client is sent, 0 for no answer.
	Code int
	// Duration is from the request's arrival to the beginning of its answer, or to its end
	// when there is none.
	Duration time.Duration
}

// KubeProxy is an HTTP proxy in front of an API server. It speaks plain HTTP on loopback
// and adds the upstream's credentials, whatever the client sends of its own; see Expose for
// clients on other machines.
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
	// user is who requests by a replica's door are made as, "" for whoever the proxy is.
	user string
	// conns are the clients' connections that are open, by their remote address.
	conns []clientConn
	doors map[int]net.Listener
	// outside is nil for doors on loopback.
	outside *outside

	// target and direct reach the API server past the faults.
	target   *url.URL
	direct   http.RoundTripper
	upstream *rest.Config
}

// clientConn is a connection of a replica, 0 for nobody's in particular.
type clientConn struct {
	net.Conn
	door int
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
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return nil, fmt.Errorf("listening for the Kubernetes proxy on loopback: %w", err)
	}
	lifetime, stop := context.WithCancel(context.WithoutCancel(ctx))
	quiet := log.New(io.Discard, "", 0) // broken connections are what this proxy is for
	p := &KubeProxy{addr: listener.Addr().String(), idle: idle, stop: stop, stopping: lifetime.Done(),
		counts: map[string]int64{}, doors: map[int]net.Listener{}, upstream: rest.CopyConfig(upstream), direct: transport, target: target}
	p.forward = &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, ErrorLog: quiet, ErrorHandler: unreachable,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
			p.impersonate(r)
		}}
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet,
		BaseContext: func(l net.Listener) context.Context { return context.WithValue(lifetime, doorKey{}, p.doorOf(l)) }, ConnState: p.track}
	p.running.Go(func() { _ = p.server.Serve(listener) }) // it ends when Close closes it, and says just that
	return p, nil
}

// ActAs has requests by the replicas' doors made as another user, unless a fault has them made
// as somebody else. The proxy's own credentials must allow it.
func (p *KubeProxy) ActAs(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.user = user
}

func (p *KubeProxy) impersonate(r *httputil.ProxyRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	const header = "Impersonate-User"
	if door, _ := r.In.Context().Value(doorKey{}).(int); door > 0 && p.user != "" && r.Out.Header.Get(header) == "" {
		r.Out.Header.Set(header, p.user)
	}
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
	kind := KindOf(spec)
	if kind.call == nil {
		return nil, &UnavailableError{spec.ID, "this fault needs more than a proxy", "arm it at a Site"}
	}
	a := newArmed(spec)
	a.act, a.late = kind.call, spec.Kind == ReplyLost
	p.attach(a)
	return a, nil
}

// attach has a fault meet what is open, and what is to come.
func (p *KubeProxy) attach(a *armed) {
	a.detach = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.faults = slices.DeleteFunc(p.faults, func(x *armed) bool { return x == a })
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, a)
	switch a.spec.Kind {
	case WatchDrop:
		dropOpen(a, p.watches)
	case Cut:
		for _, c := range p.conns {
			cutOpen(a, c)
		}
	}
}

type doorKey struct{}

// Door is the client configuration of a replica of its own, from 1: faults with that
// replica hit what comes in there and nothing else.
func (p *KubeProxy) Door(ctx context.Context, replica int) (*rest.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.doors[replica]
	if !ok {
		if p.closed {
			return nil, errClosed
		}
		var err error
		if l, err = new(net.ListenConfig).Listen(ctx, "tcp", p.outside.listenAt()); err != nil {
			return nil, fmt.Errorf("listening for replica %d's way to the API server: %w", replica, err)
		}
		p.doors[replica] = l
		served := p.outside.wrap(l)
		p.running.Go(func() { _ = p.server.Serve(served) }) // it ends when Close closes it, and says just that
	}
	return p.outside.config(l.Addr().String()), nil
}

// doorOf is the replica that an address belongs to, 0 for the one that is everybody's.
func (p *KubeProxy) doorOf(at interface{ Addr() net.Addr }) int {
	return p.doorAt(at.Addr().String())
}

func (p *KubeProxy) doorAt(addr string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for replica, l := range p.doors {
		if l.Addr().String() == addr {
			return replica
		}
	}
	return 0
}

// describe reads a request, and by which door it came.
func (p *KubeProxy) describe(r *http.Request) RequestInfo {
	info := describe(r)
	info.Replica, _ = r.Context().Value(doorKey{}).(int)
	return info
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
	if waitErr := errors.Join(drained(ctx, &p.requests), drained(ctx, &p.running)); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("waiting for the Kubernetes proxy's requests to end: %w", waitErr))
	}
	p.idle()
	p.outside.close()
	return err
}

// track counts connections, because the server starts their goroutines and waits for none,
// and breaks those that a cut is aimed at. It shares Arm's lock, so a cut meets each once.
func (p *KubeProxy) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		p.running.Add(1)
		c := clientConn{conn, p.doorAt(conn.LocalAddr().String())}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conns = append(p.conns, c)
		for _, a := range p.faults {
			if a.spec.Kind == Cut && cutOpen(a, c) {
				return
			}
		}
	case http.StateClosed, http.StateHijacked:
		p.mu.Lock()
		p.conns = slices.DeleteFunc(p.conns, func(c clientConn) bool { return c.Conn == conn })
		p.mu.Unlock()
		p.running.Done()
	}
}
