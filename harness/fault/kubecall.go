package fault

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// call is one request on its way through the proxy.
type call struct {
	proxy *KubeProxy
	info  RequestInfo
	begin time.Time
	// drop breaks off the answer; dropEarly does so as soon as it begins.
	drop      context.CancelFunc
	dropEarly bool
	told      sync.Once
}

// serve takes a request through the faults, oldest first, to the API server.
func (p *KubeProxy) serve(w http.ResponseWriter, r *http.Request) {
	ctx, drop := context.WithCancel(r.Context())
	defer drop()
	c := &call{proxy: p, info: p.describe(r), begin: time.Now(), drop: drop}
	faults, ok := p.enter(c)
	if !ok {
		panic(http.ErrAbortHandler) // closes the connection, which is all that is left to do
	}
	defer p.leave(c)
	defer c.tell(0)
	next := p.pass
	for _, a := range slices.Backward(faults) {
		next = c.through(a, next)
	}
	next(&answer{ResponseWriter: w, call: c}, r.WithContext(ctx))
}

// enter registers a request and returns the faults that it meets. It shares Arm's lock, so
// a fault meets each watch once: as an open one or as a new one.
func (p *KubeProxy) enter(c *call) ([]*armed, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false
	}
	p.requests.Add(1)
	if c.info.Verb == "watch" {
		p.watches = append(p.watches, c)
	}
	return slices.Clone(p.faults), true
}

func (p *KubeProxy) leave(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches = slices.DeleteFunc(p.watches, func(x *call) bool { return x == c })
	p.requests.Done()
}

// tell reports the request, once: with the status of its answer, or 0 at its end.
func (c *call) tell(code int) {
	c.told.Do(func() {
		c.info.Code, c.info.Duration = code, time.Since(c.begin)
		key := c.info.Verb + " " + c.info.Resource
		if c.info.Subresource != "" {
			key += "/" + c.info.Subresource
		}
		p := c.proxy
		p.mu.Lock()
		p.counts[key]++
		hook := p.hook
		p.mu.Unlock()
		if hook != nil {
			hook(c.info)
		}
	})
}

// through puts a fault in front of what comes next, if it is aimed at this request.
func (c *call) through(a *armed, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.aimsAt(c.info) || !a.reserve() {
			next(w, r)
			return
		}
		if a.late || a.confirm() { // a late one confirms its hit itself
			a.act(c, a, w, r, next)
			return
		}
		next(w, r)
	}
}

// aimsAt reports whether a fault matches a request. Only a watch can be dropped, and a
// watch has no single reply to lose.
func (a *armed) aimsAt(info RequestInfo) bool {
	watch := info.Verb == "watch"
	switch {
	case a.spec.Kind == Cut, a.spec.Kind == WatchDrop && !watch, a.spec.Kind == ReplyLost && watch:
		return false
	case a.spec.Replica != 0 && a.spec.Replica != info.Replica:
		return false
	}
	return a.spec.Match.request(info)
}

// answer is the client's answer; the request is reported before the client can see it.
type answer struct {
	http.ResponseWriter
	call  *call
	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(code int) {
	if code >= http.StatusOK {
		w.begun = true
		w.call.tell(code)
	}
	w.ResponseWriter.WriteHeader(code)
	if w.begun && w.call.dropEarly {
		w.call.drop()
	}
}

// Write implements http.ResponseWriter.
func (w *answer) Write(data []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController find what can flush and hijack.
func (w *answer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// unreachable answers for an API server that cannot be reached, unless it was the request
// that ended.
func unreachable(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	refuse(w, metav1.Status{Code: http.StatusBadGateway, Reason: metav1.StatusReasonServiceUnavailable,
		Message: "the fault proxy could not reach the API server: " + err.Error() + "; check that it still runs"}, 0)
}
