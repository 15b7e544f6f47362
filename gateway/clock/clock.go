// Package clock is the gateway's only source of time for decisions.
//
// Deduplication and storm windows are measured with the time of Redis (so that replicas
// with skewed clocks agree) plus Offset; everything else uses Now. A test or a scenario
// moves both by advancing a Shifted clock instead of waiting. Deadlines of network calls
// are real time and do not come from here.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock tells the time of decisions.
type Clock interface {
	// Now is the wall clock plus Offset.
	Now() time.Time
	// Offset is how far this clock is ahead of the wall clock; 0 in production.
	Offset() time.Duration
}

// Real is the wall clock.
type Real struct{}

// Now is time.Now.
func (Real) Now() time.Time { return time.Now() }

// Offset is always 0.
func (Real) Offset() time.Duration { return 0 }

// Still is a Clock that can stand still: then Redis is told what time it is, and not asked.
type Still interface {
	Clock
	// Still reports whether it does.
	Still() bool
}

// Shifted is the wall clock moved forward by hand. Its zero value shows the wall clock.
// It may be used by many goroutines at once.
type Shifted struct {
	offset, skew atomic.Int64
	// frozen is where the wall clock stopped, in milliseconds since 1970; 0 where it runs.
	frozen atomic.Int64
}

// Freeze stops the wall clock: from now on only Advance and Set move time, by the millisecond,
// so that either side of a window's end can be reached.
func (s *Shifted) Freeze(at time.Time) { s.frozen.Store(at.UnixMilli()) }

// Still implements Still.
func (s *Shifted) Still() bool { return s.frozen.Load() != 0 }

// Advance moves the clock forward by d.
func (s *Shifted) Advance(d time.Duration) { s.offset.Add(int64(d)) }

// Set moves the clock to d ahead of the wall clock, whatever it showed before.
func (s *Shifted) Set(d time.Duration) { s.offset.Store(int64(d)) }

// Skew puts the wall clock itself ahead by d: the error of one machine, which Offset does
// not show.
func (s *Shifted) Skew(d time.Duration) { s.skew.Store(int64(d)) }

// Now is the wall clock plus all advances.
func (s *Shifted) Now() time.Time {
	now := time.Now()
	if at := s.frozen.Load(); at != 0 {
		now = time.UnixMilli(at)
	}
	return now.Add(s.Offset() + time.Duration(s.skew.Load()))
}

// Offset is the sum of all advances.
func (s *Shifted) Offset() time.Duration { return time.Duration(s.offset.Load()) }
