package redis

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lookEvery is how often a state that servers reach by themselves is asked for.
const lookEvery = 20 * time.Millisecond

// errHopeless ends a wait at once: what is waited for can no longer come.
var errHopeless = errors.New("waiting is in vain")

// NotReached says that servers did not reach a state.
type NotReached struct {
	// Expected is the state that was waited for, Last the one that was seen last ("" for
	// none), LastErr what got in the way of looking (nil for nothing).
	Expected, Last string
	LastErr        error
	Attempts       int
	Elapsed        time.Duration
	// Cause is why the wait ended: a context's error, or what made it hopeless.
	Cause error
}

// Error has everything on one line.
func (e *NotReached) Error() string {
	last, lastErr := e.Last, "none"
	if last == "" {
		last = "none"
	}
	if e.LastErr != nil {
		lastErr = e.LastErr.Error()
	}
	return fmt.Sprintf("redis: expected %s; last state: %s; last error: %s; %d attempts in %s: %s",
		e.Expected, last, lastErr, e.Attempts, e.Elapsed.Round(time.Millisecond), e.Cause)
}

// Unwrap returns why the wait ended and what was seen last.
func (e *NotReached) Unwrap() []error {
	if e.LastErr == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.LastErr}
}

// await calls look until it returns "" (reached) instead of what is still amiss. An error of
// look is one more thing that may pass, unless it is errHopeless.
func await(ctx context.Context, within time.Duration, expected string, look func(ctx context.Context) (amiss string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	failure := &NotReached{Expected: expected}
	for began := time.Now(); ; {
		amiss, err := look(ctx)
		if amiss == "" && err == nil {
			return nil
		}
		failure.Attempts++
		failure.Elapsed = time.Since(began)
		if ctx.Err() == nil || failure.Attempts == 1 {
			// A look that the end of the wait cut short has seen nothing.
			failure.LastErr = err
			if err == nil {
				failure.Last = amiss
			}
		}
		if errors.Is(err, errHopeless) {
			failure.Cause = err
			return failure
		}
		select {
		case <-ctx.Done():
			failure.Cause = ctx.Err()
			return failure
		case <-tick.C:
		}
	}
}
