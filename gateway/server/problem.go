package server

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// typeBase begins every problem type.
const typeBase = "urn:stormproof:problem:"

// problem is an RFC 9457 problem document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Field, Line and Column point at what is wrong, where that is known.
	Field  string `json:"field,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	// Limit, Scope, Source and RetryAt say of a rate what it is, what it is counted for, who
	// that is, and when the next request will be taken.
	Limit   string `json:"limit,omitempty"`
	Scope   string `json:"scope,omitempty"`
	Source  string `json:"source,omitempty"`
	RetryAt string `json:"retryAt,omitempty"`
	// Alerts lists every alert by index, with the reason why it was not taken.
	Alerts []verdictBody `json:"alerts,omitempty"`

	retryAfter string
}

func newProblem(status int, kind, title, detail string) problem {
	return problem{Type: typeBase + kind, Title: title, Status: status, Detail: detail}
}

// unavailable asks the sender to try again, in a second where nobody knows better.
func unavailable(kind, title, detail string) problem {
	p := newProblem(http.StatusServiceUnavailable, kind, title, detail)
	p.retryAfter = "1"
	return p
}

const (
	// longestRetry bounds what is passed on of a server's wish to be left alone.
	longestRetry = 30 * time.Second
	// spread is added at random: senders that were refused together do not come back together.
	spread = 3 * time.Second
)

// retryAfter is a Retry-After: never earlier than it was asked for. jitter is in [0,1).
func retryAfter(asked time.Duration, jitter float64) string {
	asked = min(max(asked, time.Second), longestRetry)
	return strconv.Itoa(int(math.Ceil(asked.Seconds() + jitter*spread.Seconds())))
}

func (p problem) write(w http.ResponseWriter) {
	if p.retryAfter != "" {
		w.Header().Set("Retry-After", p.retryAfter)
	}
	writeJSON(w, "application/problem+json", p.Status, p)
}

// writeJSON sends a document. Its types always encode; a client that has gone needs no
// answer.
func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"type":"`+typeBase+`internal","status":500}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
