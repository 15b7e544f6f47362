// Package park keeps alerts that were refused for good, with the reason, so that somebody
// can look at them and send them again once the cause is mended.
//
// An alert that is answered 503 is not here: its sender still has it. An alert that is
// answered with 4xx, or with the verdict "invalid", is gone for the sender, and without
// this nothing but a counter would tell of it.
//
// A Park is bounded in alerts and in bytes; the oldest ones leave first, and are counted.
// It lives in the memory of one replica and ends with it.
package park

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// Alert is one refused alert.
type Alert struct {
	// ID counts from 1 in this replica.
	ID     int64     `json:"id"`
	At     time.Time `json:"at"`
	Source string    `json:"source"`
	// Field that is at fault, "" where it is none of the alert's own.
	Field string `json:"field,omitempty"`
	// Reason is the answer's word for it, Detail says what is wrong.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail"`
	// Body is a payload with this alert alone, as its source takes it.
	Body json.RawMessage `json:"body"`
}

// Park keeps refused alerts. It may be used by many goroutines at once.
type Park struct {
	mu           sync.Mutex
	alerts       []Alert
	bytes        int
	last         int64
	most         int
	mostBytes    int
	parked, left func(n int)
}

// New returns an empty park for that many alerts and bytes of bodies; 0 alerts keeps none.
// parked, if not nil, is told how many there are after each change, left how many had to go.
func New(alerts, bytes int, parked, left func(n int)) *Park {
	nothing := func(int) {}
	if parked == nil {
		parked = nothing
	}
	if left == nil {
		left = nothing
	}
	return &Park{most: alerts, mostBytes: bytes, parked: parked, left: left}
}

// Add parks an alert and gives it its ID. One that is larger than the whole park is counted
// as having left.
func (p *Park) Add(a Alert) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	a.ID = p.last
	p.alerts = append(p.alerts, a)
	p.bytes += len(a.Body)
	gone := 0
	for len(p.alerts) > p.most || p.bytes > p.mostBytes {
		p.bytes -= len(p.alerts[0].Body)
		p.alerts = slices.Delete(p.alerts, 0, 1)
		gone++
	}
	p.left(gone)
	p.parked(len(p.alerts))
}

// All lists what is parked, the oldest first.
func (p *Park) All() []Alert {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.alerts)
}

// Remove takes one alert out, if it is still there.
func (p *Park) Remove(id int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alerts = slices.DeleteFunc(p.alerts, func(a Alert) bool {
		if a.ID == id {
			p.bytes -= len(a.Body)
		}
		return a.ID == id
	})
	p.parked(len(p.alerts))
}
