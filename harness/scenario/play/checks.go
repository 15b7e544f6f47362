package play

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/scenario/expr"
)

// poll is how often an awaited state is looked at.
const poll = 20 * time.Millisecond

// unread is a value that could not be read just now: the gateway may be restarting. A wait
// goes on over it; an error of the expression itself ends the wait.
type unread struct{ error }

// Unwrap returns why.
func (u unread) Unwrap() error { return u.error }

func (w *world) expect(ctx context.Context, c *scenario.Check) error {
	e, err := expr.Compile(c.That)
	if err != nil {
		return err
	}
	vars := w.vars(ctx)
	ok, err := e.Eval(vars)
	if err != nil {
		return &failure{text: err.Error(), because: c.Because}
	}
	if !ok {
		return falseExpression("expected: "+c.That, c.Because, e.Sides(vars))
	}
	return nil
}

// eventually waits for an expression. An error in it ends the wait at once: an expression
// that cannot be evaluated will not become true.
func (w *world) eventually(ctx context.Context, c *scenario.Wait) error {
	e, err := expr.Compile(c.That)
	if err != nil {
		return err
	}
	var sides expr.Sides
	err = wait.Until(ctx, c.That, c.Within.D(), poll, func(ctx context.Context) wait.Look {
		vars := w.vars(ctx)
		ok, err := e.Eval(vars)
		var later unread
		switch {
		case errors.As(err, &later):
			return wait.Look{Err: err}
		case err != nil:
			return wait.Look{Err: err, Hopeless: errors.New("an expression with an error does not become true")}
		default:
			return wait.Look{Done: ok, State: func() string {
				sides = e.Sides(vars)
				return states(sides)
			}}
		}
	})
	var waited *wait.Error
	if !errors.As(err, &waited) {
		return err
	}
	f := falseExpression(fmt.Sprintf("expected within %s: %s", c.Within.D(), c.That), c.Because, sides)
	f.notes, f.waited = nil, waited // the last state says the same
	return f
}

// states prints the values behind an expression on one line each.
func states(s expr.Sides) string {
	out := "false is: " + s.Part
	for _, v := range s.Values {
		out += "\n" + v.String()
	}
	return out
}

func (w *world) consistently(ctx context.Context, c *scenario.Hold) error {
	e, err := expr.Compile(c.That)
	if err != nil {
		return err
	}
	begin := time.Now()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for looks := 1; time.Since(begin) < c.For.D(); looks++ {
		vars := w.vars(ctx)
		ok, err := e.Eval(vars)
		if err != nil {
			return &failure{text: err.Error(), because: c.Because}
		}
		if !ok {
			f := falseExpression(fmt.Sprintf("expected for %s: %s", c.For.D(), c.That), c.Because, e.Sides(vars))
			f.notes = append(f.notes, fmt.Sprintf("it stopped being so after %s, at look %d", time.Since(begin).Round(time.Millisecond), looks))
			return f
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("watching %q: %w", c.That, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}
