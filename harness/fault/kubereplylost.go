package fault

import (
	"bytes"
	"context"
	"maps"
	"net/http"
)

// loseReply lets the API server do the work, throws its answer away and closes the
// connection. The work is done even when the client gives up while it waits.
func (c *call) loseReply(a *armed, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	settled := false
	defer func() {
		if !settled { // the answer broke off and took this function with it
			a.giveBack()
		}
	}()
	takeBody(r)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-c.proxy.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() { cancel(); <-done }()
	kept := &keptAnswer{header: http.Header{}, code: http.StatusOK}
	next(kept, r.WithContext(ctx))
	if kept.code == http.StatusBadGateway { // the API server was not reached: nothing was done
		kept.replay(w)
		return
	}
	settled = true
	if a.confirm() {
		c.hangUp(w, false)
		return
	}
	kept.replay(w) // the fault was removed meanwhile
}

// keptAnswer keeps an answer until it is known whether the client shall see it.
type keptAnswer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (k *keptAnswer) Header() http.Header { return k.header }

// WriteHeader implements http.ResponseWriter.
func (k *keptAnswer) WriteHeader(code int) { k.code = code }

// Write implements http.ResponseWriter.
func (k *keptAnswer) Write(data []byte) (int, error) { return k.body.Write(data) }

// Flush implements http.Flusher: there is nobody to flush to yet.
func (k *keptAnswer) Flush() {}

func (k *keptAnswer) replay(w http.ResponseWriter) {
	maps.Copy(w.Header(), k.header)
	w.WriteHeader(k.code)
	_, _ = w.Write(k.body.Bytes()) // a client that has gone needs no answer
}

func kubeReplyLostKind() Kind {
	return Kind{Target: Kubernetes, Name: ReplyLost, Reads: ofRequest,
		Doc: "lets the API server do a request, then closes the connection without the answer",
		check: func(s Spec) *SpecError {
			if s.Match.Verb == "watch" {
				return &SpecError{"match.verb", "a watch has no single reply to lose", "write kind: watch-drop"}
			}
			return nil
		},
		call: (*call).loseReply}
}
