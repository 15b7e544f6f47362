package binaries

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Rung is one way to get something.
type Rung[T any] struct {
	Name string
	// Try returns the thing and why this way is right, or an error that says why it is not.
	Try func(ctx context.Context) (T, string, error)
}

// Miss is a rung that did not do, and why.
type Miss struct {
	Rung string
	Err  error
}

// Catch is the rung that did.
type Catch[T any] struct {
	Rung   string
	Got    T
	Reason string
	// Missed are the better ways that were tried first.
	Missed []Miss
}

// Climb tries the rungs in order and returns the first that holds. missed, if not nil, is
// told of every other one as it happens. When ctx ends, so does the climb.
func Climb[T any](ctx context.Context, rungs []Rung[T], missed func(Miss)) (Catch[T], error) {
	var c Catch[T]
	for _, r := range rungs {
		if err := ctx.Err(); err != nil {
			return Catch[T]{}, err
		}
		got, reason, err := r.Try(ctx)
		if err == nil {
			c.Rung, c.Got, c.Reason = r.Name, got, reason
			return c, nil
		}
		m := Miss{Rung: r.Name, Err: err}
		c.Missed = append(c.Missed, m)
		if missed != nil {
			missed(m)
		}
	}
	if err := ctx.Err(); err != nil {
		return Catch[T]{}, err
	}
	return Catch[T]{}, missedError(c.Missed)
}

// Why is the reason with those of the rungs that did not do.
func (c Catch[T]) Why() string {
	parts := []string{c.Reason}
	for _, m := range c.Missed {
		parts = append(parts, m.String())
	}
	return strings.Join(parts, "; ")
}

// String is the rung and the reason, the fix left out: a miss is no failure yet.
func (m Miss) String() string {
	if u, ok := errors.AsType[*Unavailable](m.Err); ok {
		return m.Rung + ": " + u.Reason
	}
	return m.Rung + ": " + m.Err.Error()
}

func missedError(missed []Miss) error {
	errs := make([]error, 0, len(missed))
	for _, m := range missed {
		errs = append(errs, fmt.Errorf("%s: %w", m.Rung, m.Err))
	}
	return errors.Join(errs...)
}
