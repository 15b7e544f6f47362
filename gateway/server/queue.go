package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
)

// mostPause is the longest that an overloaded gateway asks a sender to wait, in seconds. Each
// is told another time, or all that were turned away together would come back together.
const mostPause = 4

// enter waits for one of the limits.inFlight places, in a queue that is bounded in length and
// time. A request without a place has cost no more than its reading.
func (s *Server) enter(ctx context.Context) (leave func(), bad *problem) {
	limits := s.limits.Load()
	if !s.slots.TryAcquire(1) {
		defer s.queued.Add(-1)
		if s.queued.Add(1) > int64(limits.Queue) {
			p := s.overloaded(fmt.Sprintf("%d requests are worked on (limits.inFlight) and %d wait (limits.queue)", limits.InFlight, limits.Queue))
			return nil, &p
		}
		wait, cancel := context.WithTimeout(ctx, limits.QueueTimeout)
		defer cancel()
		if s.slots.Acquire(wait, 1) != nil {
			p := s.overloaded(fmt.Sprintf("%d requests are worked on (limits.inFlight); this one waited for %s (limits.queueTimeout)", limits.InFlight, limits.QueueTimeout))
			return nil, &p
		}
	}
	s.metrics.inFlight.Inc()
	return func() { s.slots.Release(1); s.metrics.inFlight.Dec() }, nil
}

// overloaded asks the sender to come again.
func (s *Server) overloaded(detail string) problem {
	return s.later("overloaded", "The gateway has more to do than it can take", detail+"; nothing was promised, send it again")
}

// later is 503 with a time to come again that differs from answer to answer.
func (s *Server) later(kind, title, detail string) problem {
	p := newProblem(http.StatusServiceUnavailable, kind, title, detail)
	p.retryAfter = strconv.Itoa(1 + s.random(mostPause))
	return p
}
