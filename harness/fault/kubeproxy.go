package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// RequestInfo is one request that reached the proxy.
type RequestInfo struct {
	Verb, Group, Resource, Subresource, Namespace, Name string
	// Code is the status that the client was sent, 0 for none.
	Code     int
	Duration time.Duration
}

// KubeProxy is an HTTP proxy in front of an API server. It speaks plain HTTP on loopback
// and adds the upstream's credentials.
type KubeProxy struct {
	upstream  *url.URL
	transport http.RoundTripper
	server    *http.Server
	addr      string
	idle      func()
	done      sync.WaitGroup

	mu     sync.Mutex
	faults []*armed
	hook   func(RequestInfo)
}

// NewKubeProxy listens on loopback in front of the API server of a client configuration.
func NewKubeProxy(ctx context.Context, upstream *rest.Config) (*KubeProxy, error) {
	tls, err := rest.TLSConfigFor(upstream)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's credentials: %w", err)
	}
	base := &http.Transport{TLSClientConfig: tls, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64}
	transport, err := rest.HTTPWrappersForConfig(upstream, base)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's credentials: %w", err)
	}
	target, _, err := rest.DefaultServerUrlFor(upstream)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's address: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the API proxy: %w", err)
	}
	p := &KubeProxy{upstream: target, transport: transport, addr: l.Addr().String(), idle: base.CloseIdleConnections}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	p.done.Go(func() {
		// Close makes Serve return; there is nothing else that it could tell.
		_ = p.server.Serve(l)
	})
	return p, nil
}

// RESTConfig is for clients that shall go through the proxy.
func (p *KubeProxy) RESTConfig() *rest.Config { return &rest.Config{Host: "http://" + p.addr} }

// OnRequest sets a function that is told every request after it was answered. Set it
// before the first request.
func (p *KubeProxy) OnRequest(hook func(RequestInfo)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hook = hook
}

// Close ends everything and waits for it.
func (p *KubeProxy) Close(ctx context.Context) error {
	p.mu.Lock()
	faults := slices.Clone(p.faults)
	p.mu.Unlock()
	var err error
	for _, f := range faults {
		err = errors.Join(err, f.Remove(ctx))
	}
	err = errors.Join(err, p.server.Close())
	p.done.Wait()
	p.idle()
	return err
}

// Arm injects a fault.
func (p *KubeProxy) Arm(_ context.Context, s Spec) (Handle, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	if s.Target != Kubernetes {
		return nil, &SpecError{"target", "this proxy stands in front of Kubernetes", "write kubernetes"}
	}
	f := newArmed(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	f.detach = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.faults = slices.DeleteFunc(p.faults, func(x *armed) bool { return x == f })
	}
	p.faults = append(p.faults, f)
	return f, nil
}

// reserve returns the first standing fault that this request is to be hit by. The caller
// confirms or gives back.
func (p *KubeProxy) reserve(info RequestInfo) *armed {
	p.mu.Lock()
	faults := slices.Clone(p.faults)
	p.mu.Unlock()
	for _, f := range faults {
		if f.spec.Match.request(info) && (f.spec.Kind != WatchDrop || info.Verb == "watch") && f.reserve() {
			return f
		}
	}
	return nil
}

// ServeHTTP passes a request on, or breaks it.
func (p *KubeProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.done.Add(1)
	defer p.done.Done()
	info := describe(r)
	begin := time.Now()
	f := p.reserve(info)
	if f == nil {
		info.Code = p.pass(w, r, nil)
	} else {
		info.Code = p.hit(w, r, f)
	}
	info.Duration = time.Since(begin)
	p.mu.Lock()
	hook := p.hook
	p.mu.Unlock()
	if hook != nil {
		hook(info)
	}
	if info.Code == 0 {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
}

// hit breaks one request; it returns the status that the client was sent, 0 for none.
func (p *KubeProxy) hit(w http.ResponseWriter, r *http.Request, f *armed) int {
	if f.spec.Kind == ReplyLost {
		return p.loseReply(w, r, f)
	}
	if !f.confirm() {
		return p.pass(w, r, nil)
	}
	switch f.spec.Kind {
	case Status:
		return refuse(w, f.spec)
	case Reset:
		return 0
	case Hang:
		select {
		case <-r.Context().Done():
		case <-f.gone:
		}
		return 0
	case Latency:
		timer := time.NewTimer(f.spec.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-f.gone:
		case <-r.Context().Done():
			return 0
		}
		return p.pass(w, r, nil)
	default: // SlowBody, WatchDrop
		return p.pass(w, r, f)
	}
}

// loseReply lets the API server do the work and throws its answer away.
func (p *KubeProxy) loseReply(w http.ResponseWriter, r *http.Request, f *armed) int {
	res, err := p.ask(r)
	if err != nil {
		f.giveBack()
		return 0
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil || !f.confirm() {
		w.WriteHeader(http.StatusBadGateway)
		return http.StatusBadGateway
	}
	return 0
}

func (p *KubeProxy) ask(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = p.upstream.Scheme, p.upstream.Host, p.upstream.Host, ""
	out.Header.Del("Connection")
	return p.transport.RoundTrip(out)
}

// pass sends a request on and copies the answer, as slowly or as briefly as f says.
func (p *KubeProxy) pass(w http.ResponseWriter, r *http.Request, f *armed) int {
	res, err := p.ask(r)
	if err != nil {
		return 0
	}
	for k, v := range res.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(res.StatusCode)
	err = copyBody(w, r, res.Body, f)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return 0
	}
	return res.StatusCode
}

func copyBody(w http.ResponseWriter, r *http.Request, body io.Reader, f *armed) error {
	flush := http.NewResponseController(w)
	if err := flush.Flush(); err != nil {
		return err
	}
	if f != nil && f.spec.Kind == WatchDrop {
		return errors.New("watch dropped")
	}
	buf := make([]byte, 32<<10)
	for {
		part := buf
		if f != nil {
			part = buf[:max(1, min(int64(len(buf)), f.spec.BytesPerSecond/10))]
		}
		n, err := body.Read(part)
		if n > 0 {
			if _, err := w.Write(part[:n]); err != nil {
				return err
			}
			if err := flush.Flush(); err != nil {
				return err
			}
			if f != nil {
				timer := time.NewTimer(time.Duration(n) * time.Second / time.Duration(f.spec.BytesPerSecond))
				select {
				case <-timer.C:
				case <-f.gone:
				case <-r.Context().Done():
				}
				timer.Stop()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// refuse answers in the API server's place, in its own form.
func refuse(w http.ResponseWriter, s Spec) int {
	reasons := map[int]metav1.StatusReason{
		http.StatusForbidden: metav1.StatusReasonForbidden, http.StatusNotFound: metav1.StatusReasonNotFound,
		http.StatusConflict: metav1.StatusReasonConflict, http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests,
		http.StatusInternalServerError: metav1.StatusReasonInternalError, http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable,
		http.StatusGatewayTimeout: metav1.StatusReasonTimeout,
	}
	status := metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Message: "injected fault " + s.ID, Reason: reasons[s.Code], Code: int32(s.Code)}
	if s.Reason != "" {
		status.Reason = metav1.StatusReason(s.Reason)
	}
	if s.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(s.RetryAfter))
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(s.RetryAfter)}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.Code)
	// A client that has gone needs no answer.
	_ = json.NewEncoder(w).Encode(status)
	return s.Code
}
