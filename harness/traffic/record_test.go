package traffic_test

import (
	"errors"
	"net/http"
	"sync"

	"github.com/stormproof/stormproof/harness/history"
)

// recorder keeps events in memory.
type recorder struct {
	mu     sync.Mutex
	events []history.Event
	// fail is returned for every event, if set.
	fail error
}

func (r *recorder) Add(e history.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) requests() []history.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []history.Request
	for _, e := range r.events {
		if e.Request != nil {
			out = append(out, *e.Request)
		}
	}
	return out
}

func (r *recorder) answers() []history.Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []history.Answer
	for _, e := range r.events {
		if e.Answer != nil {
			out = append(out, *e.Answer)
		}
	}
	return out
}

func answer(status int, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: http.NoBody}
}

var errReset = errors.New("connection reset")
