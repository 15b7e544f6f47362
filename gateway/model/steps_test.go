package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing/synctest"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// call is something that has left a replica and waits for the schedule.
type call struct {
	by    *replica
	what  string
	apply func() (any, error)
	reply chan outcome
	// orphan: nobody waits for the reply any more.
	orphan atomic.Bool
	script bool
}

type outcome struct {
	value any
	err   error
}

// leave makes a call wait for the schedule and returns what came of it. All that apply
// needs of its caller it must copy: it may run when the caller has gone.
func leave[T any](ctx context.Context, r *replica, script bool, what string, apply func() (T, error)) (T, error) {
	var none T
	c := &call{by: r, what: what, script: script, reply: make(chan outcome, 1), apply: func() (any, error) { return apply() }}
	if a := attemptOf(ctx); a != nil {
		c.what = fmt.Sprintf("request %d %s", a.n, what)
	}
	if !r.world.arrive(c) {
		return none, errCrashed
	}
	select {
	case out := <-c.reply:
		if out.err != nil {
			return none, out.err
		}
		return out.value.(T), nil
	case <-ctx.Done():
		r.world.abandon(c)
		return none, ctx.Err()
	}
}

// errCrashed ends the calls of a replica that is no more; nobody tries it again.
var errCrashed = apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("this replica has crashed"))

// errBroken is what a caller sees of a broken connection.
var errBroken = fmt.Errorf("the connection broke: %w", io.ErrUnexpectedEOF)

func (w *world) arrive(c *call) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.by.dead {
		return false
	}
	w.arrived = append(w.arrived, c)
	return true
}

func (w *world) abandon(c *call) {
	c.orphan.Store(true)
}

// settle lets everything run until all wait, and sorts what arrived: goroutines that ran at
// once must not decide about the order.
func (w *world) settle() {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.arrived, func(a, b *call) int { return strings.Compare(a.line(), b.line()) })
	w.waiting = append(w.waiting, w.arrived...)
	w.arrived = nil
}

func (c *call) line() string { return c.by.name + ": " + c.what }

// take removes the i-th waiting call; nil where nothing waits.
func (w *world) take(i int) *call {
	if len(w.waiting) == 0 {
		return nil
	}
	i %= len(w.waiting)
	c := w.waiting[i]
	w.waiting = slices.Delete(w.waiting, i, i+1)
	return c
}

// run applies a waiting call.
func (w *world) run(i int) {
	if c := w.take(i); c != nil {
		value, err := c.apply()
		w.tell(c, "", err)
		c.reply <- outcome{value, err}
		w.settle()
	}
}

// lose applies a waiting call, or not, and breaks its connection.
func (w *world) lose(i int, applied bool) {
	c := w.take(i)
	if c == nil {
		return
	}
	how, err := "is not applied", error(nil)
	if applied {
		_, err = c.apply()
		how = "is applied, the reply is lost"
	}
	w.tell(c, how, err)
	c.reply <- outcome{nil, errBroken}
	w.settle()
}

// again applies a waiting script, which the client sends once more.
func (w *world) again(i int) {
	c := w.take(i)
	if c == nil {
		return
	}
	if c.script {
		_, err := c.apply()
		w.tell(c, "is applied, the reply is lost, the client sends it again", err)
	}
	w.waiting = append(w.waiting, c)
}

// tell writes down what became of a call.
func (w *world) tell(c *call, how string, err error) {
	if c.orphan.Load() {
		how = strings.TrimSpace(how + " (its caller has gone)")
	}
	if err != nil {
		how = strings.TrimSpace(how + " -> " + err.Error())
	}
	w.say("%s%s", c.line(), strings.TrimRight("  "+how, " "))
}
