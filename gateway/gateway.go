// Package gateway assembles the remediation gateway: alerts in by HTTP, exactly one
// RemediationRequest per incident out, with Redis as its fast memory and Kubernetes as the
// truth.
//
//	server ──> alert ──> intake ──> window (Redis)
//	                       └─────> remediation (Kubernetes)
//
// New binds the listeners and connects lazily: a gateway whose Redis or API server is down
// starts, says so on /readyz, and recovers by itself. Run serves until its context ends,
// then finishes what is in flight and writes the last counters.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/auth"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/reconcile"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/server"
	"github.com/stormproof/stormproof/gateway/shadow"
	"github.com/stormproof/stormproof/gateway/traces"
	"github.com/stormproof/stormproof/gateway/window"
)

// Options of a gateway.
type Options struct {
	Config     config.Config
	RESTConfig *rest.Config
	// Clock defaults to the wall clock, Logger to none.
	Clock  clock.Clock
	Logger *slog.Logger
	// ConfigFile is where Config was read from. It is read again when it changes and at each
	// signal of Again; "" is never read.
	ConfigFile string
	Again      <-chan os.Signal
	// Level, if not nil, follows log.level when it changes.
	Level *slog.LevelVar
	// Testing is served at /testing/ on the private listener; nil, as in production, is nothing.
	Testing http.Handler
}

// Gateway is an assembled gateway that listens, and serves once Run is called.
type Gateway struct {
	options    Options
	log        *slog.Logger
	kubernetes client.Client
	caller     remediation.Caller
	pages      *remediation.Pages
	metrics    *server.Metrics
	traces     *traces.Traces
	// config is the one in force; refused says that the file holds another. Both belong to
	// the goroutine that follows the file.
	config        config.Config
	refused       bool
	process       process
	windows       atomic.Pointer[window.Windows]
	redis         redis.UniversalClient
	counters      *remediation.Counters
	server        *server.Server
	public, admin net.Listener
	transport     *http.Transport
	reconciler    *reconcile.Reconciler
}

// New assembles a gateway and binds its listeners.
func New(o Options) (*Gateway, error) {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := o.Config.Validate(); err != nil {
		return nil, fmt.Errorf("checking the configuration: %w", err)
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	transport, wrapped, err := newTransport(o.RESTConfig)
	if err != nil {
		return nil, err
	}
	kubernetes, err := newClient(o, scheme, wrapped)
	if err != nil {
		return nil, err
	}
	store, err := newRedis(o.Config.Redis)
	if err != nil {
		return nil, err
	}
	metrics := server.NewMetrics()
	spans, err := traces.New(o.Config.Telemetry.Traces, o.Logger, metrics.SpansDropped)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	caller := remediation.Caller{Start: observeKubernetes(metrics, spans), Timeout: o.Config.Kubernetes.Timeout, Limit: &remediation.Limit{}}
	metrics.Limit(caller.Limit.State)
	g := &Gateway{options: o, config: o.Config, log: o.Logger, kubernetes: kubernetes, transport: transport, caller: caller, metrics: metrics, traces: spans,
		redis:    store,
		counters: remediation.NewCounters(kubernetes, caller, o.Config.Kubernetes.FlushInterval, o.Logger),
		pages:    remediation.NewPages(kubernetes, caller, o.Config.Limits.RequestTimeout, o.Clock)}
	g.process.shadow = shadow.New(metrics, o.Logger)
	g.pages.Committed = metrics.Committed
	if o.Config.Redis.OnFailure == config.Degrade {
		g.process.lost = g.newSwitch(o.Config)
	}
	if err := g.decideBy(o.Config); err != nil {
		return nil, err
	}
	g.reconciler = &reconcile.Reconciler{Cluster: &rest.Config{Host: o.RESTConfig.Host, APIPath: o.RESTConfig.APIPath, Transport: wrapped},
		Scheme: scheme, Mapper: fixedMapper(), Config: o.Config.Kubernetes, Counters: g.counters, Log: o.Logger,
		Windows: g.known}
	g.server = server.New(o.Config.Limits, &g.process, g.checks(kubernetes, o.Config.Kubernetes.Namespace), metrics, o.Logger)
	g.server.Testing, g.server.Trusted = o.Testing, o.Config.Listen.Trusted()
	g.server.Shadow, g.server.Trace = g.process.shadow, spans.Request
	gate, err := g.gate(o.Config)
	if err == nil {
		g.server.Authenticate(gate)
		err = g.listen()
	}
	if err != nil {
		return nil, errors.Join(err, g.redis.Close(), spans.Stop(context.Background()))
	}
	return g, nil
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), authenticationv1.AddToScheme(scheme), authorizationv1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("registering kinds: %w", err)
	}
	metav1.AddToGroupVersion(scheme, v1alpha1.GroupVersion)
	return scheme, nil
}

// newTransport is the gateway's own, so that a stopped one leaves no connection behind, and
// what wraps it with the credentials. A connection that says nothing is asked whether it
// lives: a watch may be silent for long.
func newTransport(c *rest.Config) (*http.Transport, http.RoundTripper, error) {
	tls, err := rest.TLSConfigFor(c)
	if err != nil {
		return nil, nil, fmt.Errorf("reading Kubernetes credentials: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second}}
	wrapped, err := rest.HTTPWrappersForConfig(c, transport)
	if err != nil {
		return nil, nil, fmt.Errorf("reading Kubernetes credentials: %w", err)
	}
	return transport, wrapped, nil
}

// newClient builds a client without a cache.
func newClient(o Options, scheme *runtime.Scheme, through http.RoundTripper) (client.Client, error) {
	cfg := rest.CopyConfig(o.RESTConfig)
	cfg.QPS, cfg.Burst = o.Config.Kubernetes.QPS, o.Config.Kubernetes.Burst
	c, err := client.New(cfg, client.Options{Scheme: scheme, HTTPClient: &http.Client{Transport: remediation.OwnRetries(through)}, Mapper: fixedMapper()})
	if err != nil {
		return nil, fmt.Errorf("building the Kubernetes client: %w", err)
	}
	return c, nil
}

// checks are what readiness means: Redis answers, or Kubernetes stands in for it, and the
// kind is served.
func (g *Gateway) checks(c client.Client, namespace string) []server.Check {
	store := server.Check{Name: "redis", Run: func(ctx context.Context) error { return pingRedis(ctx, g.redis) }}
	if g.process.lost != nil {
		store.Dispensable, store.Run = true, func(context.Context) error { return g.process.lost.Why() }
	}
	return []server.Check{
		store,
		{Name: "kubernetes", Run: func(ctx context.Context) error {
			return served(c.List(ctx, &v1alpha1.RemediationRequestList{}, client.InNamespace(namespace), client.Limit(1)))
		}},
	}
}

// gate is who may send alerts by a configuration.
func (g *Gateway) gate(c config.Config) (*auth.Gate, error) {
	gate, err := auth.New(auth.Options{Config: c.Auth, Client: g.kubernetes, Caller: g.caller, Redis: g.redis, Prefix: c.Redis.Prefix,
		Alone: c.Redis.OnFailure == config.Degrade, Clock: g.options.Clock, Log: g.log})
	if err != nil {
		return nil, fmt.Errorf("reading who may send alerts: %w", err)
	}
	return gate, nil
}

func (g *Gateway) listen() (err error) {
	secret, err := auth.TLS(g.config.Listen.TLS, g.log)
	if err != nil {
		return err
	}
	if g.public, err = bind("listen.public", g.options.Config.Listen.Public); err != nil {
		return err
	}
	if secret != nil {
		g.public = tls.NewListener(g.public, secret)
	}
	if g.admin, err = bind("listen.admin", g.options.Config.Listen.Admin); err != nil {
		return errors.Join(err, g.public.Close())
	}
	return nil
}

func bind(field, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is taken by another process; end it, or set %s to another address: %w", field, addr, field, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return l, nil
}

// Addr is the public listener's host:port.
func (g *Gateway) Addr() string { return g.public.Addr().String() }

// AdminAddr is the private listener's host:port.
func (g *Gateway) AdminAddr() string { return g.admin.Addr().String() }

// Run serves until ctx ends, then stops in order: not ready, requests in flight finish,
// counters are written, connections are closed. It returns when all is gone.
func (g *Gateway) Run(ctx context.Context) error {
	public, admin := g.httpServer(g.server.Public()), g.httpServer(g.server.Admin())
	failed := make(chan error, 2)
	var listeners, background sync.WaitGroup
	serve := func(s *http.Server, l net.Listener) {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}
	listeners.Go(func() { serve(public, g.public) })
	listeners.Go(func() { serve(admin, g.admin) })
	countCtx, stopCounting := context.WithCancel(context.WithoutCancel(ctx))
	background.Go(func() { g.counters.Run(countCtx) })
	background.Go(func() { g.reconciler.Run(countCtx) })
	background.Go(func() { g.process.shadow.Run(countCtx) })
	if g.process.lost != nil {
		background.Go(func() { g.process.lost.Run(countCtx) })
	}
	if g.options.ConfigFile != "" {
		background.Go(func() { g.follow(countCtx) })
	}
	g.log.InfoContext(ctx, "listening", "public", g.Addr(), "admin", g.AdminAddr())

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serving: %w", err)
	}
	g.server.Stopping()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.options.Config.Listen.Grace)
	defer cancel()
	err = errors.Join(err, public.Shutdown(grace), admin.Shutdown(grace))
	listeners.Wait()
	stopCounting()
	background.Wait()
	g.counters.Flush(grace)
	g.transport.CloseIdleConnections()
	return errors.Join(err, g.redis.Close(), g.traces.Stop(grace))
}

func (g *Gateway) httpServer(h http.Handler) *http.Server {
	limits := g.options.Config.Limits
	return &http.Server{Handler: h, ReadHeaderTimeout: limits.HeaderTimeout, ReadTimeout: limits.HeaderTimeout + limits.RequestTimeout,
		WriteTimeout: limits.RequestTimeout + 10*time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelWarn)}
}
