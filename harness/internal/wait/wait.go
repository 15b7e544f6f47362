// Package wait is the one loop that looks at a state until it is as wanted. A wait that
// fails says all that its reader needs: what was expected, what was seen last, the last
// error, how often it looked, and for how long. It ends early when the goal has become
// unreachable, because time does not mend that.
package wait

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// grace is how long a look may still take after the wait's own end.
const grace = 2 * time.Second

// Look is what one attempt saw; the zero value is "not yet, and nothing to tell".
type Look struct {
	// Done ends the wait well.
	Done bool
	// State describes what was seen; it is asked only when the wait fails. nil keeps the
	// description of an earlier look.
	State func() string
	// Err is why this look saw nothing. The wait goes on.
	Err error
	// Hopeless is why the goal cannot be reached any more. It ends the wait.
	Hopeless error
}

// Error is a wait that failed.
type Error struct {
	// What was waited for.
	What string
	// Within is the bound, Elapsed what was used of it.
	Within, Elapsed time.Duration
	Attempts        int
	// State is the last state that was seen, "" for none.
	State string
	// Last is the last error of a look, Cause what ended the wait early; both may be nil.
	Last, Cause error
}

// Error prints one fact a line, the expectation first.
func (e *Error) Error() string {
	lines := []string{fmt.Sprintf("expected within %s: %s", e.Within, e.What), e.Effort()}
	if e.State != "" {
		lines = append(lines, "last state: "+e.State)
	}
	if e.Last != nil {
		lines = append(lines, "last error: "+e.Last.Error())
	}
	return strings.Join(lines, "\n")
}

// Effort says how hard the wait tried, and what ended it early.
func (e *Error) Effort() string {
	out := fmt.Sprintf("looked %d times in %s", e.Attempts, e.Elapsed.Round(time.Millisecond))
	if e.Cause != nil {
		out += ", then gave up: " + e.Cause.Error()
	}
	return out
}

// Unwrap returns both errors, so that a caller can ask for either.
func (e *Error) Unwrap() []error {
	var out []error
	for _, err := range []error{e.Cause, e.Last} {
		if err != nil {
			out = append(out, err)
		}
	}
	return out
}

// Until looks at once and then every so often until a look is done, hopeless, or the time
// is up; its error is an *Error. A look gets a context that ends soon after the wait's bound.
func Until(ctx context.Context, what string, within, every time.Duration, look func(context.Context) Look) error {
	begin := time.Now()
	bounded, cancel := context.WithTimeout(ctx, within+grace)
	defer cancel()
	e := &Error{What: what, Within: within}
	var state func() string
	fail := func(cause error) error {
		e.Elapsed, e.Cause = time.Since(begin), cause
		if state != nil {
			e.State = state()
		}
		return e
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		seen := look(bounded)
		e.Attempts++
		if seen.State != nil {
			state = seen.State
		}
		// An error that is only the end of the wait itself hides what went wrong before.
		if seen.Err != nil && (e.Last == nil || bounded.Err() == nil || !errors.Is(seen.Err, bounded.Err())) {
			e.Last = seen.Err
		}
		switch {
		case seen.Done:
			return nil
		case seen.Hopeless != nil:
			return fail(seen.Hopeless)
		case ctx.Err() != nil:
			return fail(ctx.Err())
		case time.Since(begin) >= within:
			return fail(nil)
		}
		select {
		case <-ctx.Done():
			return fail(ctx.Err())
		case <-tick.C:
		}
	}
}
