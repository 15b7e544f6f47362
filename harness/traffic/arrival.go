package traffic

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Arrival says when requests are sent. With a Rate it is an open loop: each request has an
// intended time, whether or not the earlier ones were answered, as from senders that know
// nothing of each other. Without, it is a closed loop: Connections workers, each sending
// the next request when its last one was answered.
type Arrival struct {
	// Rate is requests per second; 0 for a closed loop.
	Rate float64
	// Poisson spreads the intended times as independent senders would; else they are even.
	Poisson bool
	// Connections bounds the requests in flight. Default 1 in a closed loop, 64 in an open.
	Connections int
	// Count and For bound the load; at least one is set. In an open loop For bounds the
	// intended times, in a closed one the times of sending.
	Count int
	For   time.Duration
	// Grace is how long after the last intended time of an open loop late requests are
	// still sent; what is left is dropped. Default 10 s.
	Grace time.Duration
	// Timeout bounds one request with its retries. Default 30 s.
	Timeout time.Duration
	// Seed of the Poisson schedule.
	Seed uint64
}

// Bounds on any load, so that none runs away.
const (
	maxRequests    = 5_000_000
	maxDuration    = time.Hour
	maxConnections = 4096
)

// lateAfter is how long past its intended time a request may leave before it counts as
// late; it covers timers and scheduling.
const lateAfter = 10 * time.Millisecond

// Open reports whether requests have intended times.
func (a Arrival) Open() bool { return a.Rate > 0 }

// filled is the arrival with its defaults: both bounds are set then.
func (a Arrival) filled() Arrival {
	if a.Connections == 0 {
		a.Connections = 1
		if a.Open() {
			a.Connections = 64
		}
	}
	if a.Count == 0 {
		a.Count = maxRequests
	}
	if a.For == 0 {
		a.For = maxDuration
	}
	if a.Grace == 0 {
		a.Grace = 10 * time.Second
	}
	if a.Timeout == 0 {
		a.Timeout = 30 * time.Second
	}
	return a
}

// Validate says what is wrong with the arrival, everything at once.
func (a Arrival) Validate() error {
	var errs []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	add(math.IsNaN(a.Rate) || a.Rate < 0 || a.Rate > 1e6, "rate %v is not between 0 and 1000000 requests a second", a.Rate)
	add(a.Poisson && !a.Open(), "poisson needs a rate")
	add(a.Connections < 0 || a.Connections > maxConnections, "connections: %d is not between 1 and %d", a.Connections, maxConnections)
	add(a.Count == 0 && a.For == 0, "the load has no end; give a count, a duration, or both")
	add(a.Count < 0 || a.Count > maxRequests, "count: %d is not between 1 and %d", a.Count, maxRequests)
	add(a.For < 0 || a.For > maxDuration, "duration: %s is not between 0 and %s", a.For, maxDuration)
	add(a.Rate > 0 && a.Count == 0 && a.Rate*a.For.Seconds() > maxRequests, "rate times duration is more than %d requests", maxRequests)
	add(a.Grace < 0 || a.Timeout < 0, "grace and timeout are durations from 0")
	return errors.Join(errs...)
}

// Schedule lists the intended times of an open loop, from its start. It depends on the
// arrival alone.
func (a Arrival) Schedule() []time.Duration {
	a = a.filled()
	var out []time.Duration
	random := rand.New(rand.NewPCG(a.Seed, 0x6172726976616c))
	at := 0.0
	for i := 0; i < a.Count; i++ {
		due := time.Duration(at * float64(time.Second))
		if due >= a.For {
			break
		}
		out = append(out, due)
		if a.Poisson {
			at += random.ExpFloat64() / a.Rate
		} else {
			// Not by adding up: a million small errors are a large one.
			at = float64(i+1) / a.Rate
		}
	}
	return out
}
