package fault

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// hang answers nothing until the client goes; when the fault is removed first, the
// connection is closed.
func (c *call) hang(a *armed, w http.ResponseWriter, r *http.Request) {
	takeBody(r)
	select {
	case <-r.Context().Done():
	case <-a.gone:
	}
	c.hangUp(w, false)
}

// delay holds a request back. A client that gives up meanwhile has asked for nothing.
func (c *call) delay(a *armed, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	takeBody(r)
	timer := time.NewTimer(a.spec.Delay)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		c.hangUp(w, false)
		return
	case <-a.gone:
	case <-timer.C:
	}
	next(w, r)
}

// takeBody reads the whole body: only then does the server notice that a client goes.
func takeBody(r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client broke off; what comes next reads the same error from the body
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
}

// hangUp reports the request, then closes the client's connection without an answer; rude
// makes the client see a reset instead of an end.
func (c *call) hangUp(w http.ResponseWriter, rude bool) {
	c.tell(0)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server's own way to close a connection
	}
	if rude {
		reset(conn)
		return
	}
	_ = conn.Close() // it is given up; there is nobody to tell
}

func kubeLatencyKind() Kind {
	return Kind{Target: Kubernetes, Name: Latency, Reads: with(ofRequest, "delay"),
		Doc:   "delays each (matching) request by delay",
		check: checkDelay,
		call:  (*call).delay}
}

func kubeHangKind() Kind {
	return Kind{Target: Kubernetes, Name: Hang, Reads: ofRequest,
		Doc:  "takes a request and never answers",
		call: func(c *call, a *armed, w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { c.hang(a, w, r) }}
}

func kubeResetKind() Kind {
	return Kind{Target: Kubernetes, Name: Reset, Reads: ofRequest,
		Doc:  "closes the connection before the API server sees the request",
		call: func(c *call, _ *armed, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) { c.hangUp(w, true) }}
}
