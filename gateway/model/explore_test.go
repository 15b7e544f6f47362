package model

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/alicebob/miniredis/v2"
	"pgregory.net/rapid"
)

// explorer plays plans.
type explorer struct {
	t       *testing.T
	mini    *miniredis.Miniredis
	scripts map[string]string
	bug     bug
}

func newExplorer(t *testing.T, b bug) *explorer {
	return &explorer{t: t, mini: miniredis.RunT(t), scripts: map[string]string{}, bug: b}
}

// play returns what a plan breaks, nil for nothing, and what happened, in words.
func (x *explorer) play(p plan) (v *violation, story []string) {
	synctest.Test(x.t, func(*testing.T) {
		w := newWorld(x.mini, x.scripts, x.bug)
		defer w.stop()
		v = w.play(p)
		story = w.story
	})
	return v, story
}

// found is a schedule that breaks a promise, made short.
type found struct {
	plan      plan
	violation *violation
	story     []string
	// after so many schedules that broke none.
	after int
}

// search plays schedules until one breaks a promise; nil where none of n does.
func (x *explorer) search(n int, seed uint64) *found {
	x.t.Helper()
	set := func(name, value string) {
		if err := flag.Set("rapid."+name, value); err != nil {
			x.t.Fatal(err)
		}
	}
	set("checks", fmt.Sprint(n))
	set("seed", fmt.Sprint(seed))
	set("nofailfile", "true")
	set("shrinktime", "1ns") // our own is better: it knows what a step is
	out := &found{}
	tb := &quiet{T: x.t}
	tb.run(func() {
		rapid.Check(tb, func(r *rapid.T) {
			p := plans().Draw(r, "plan")
			if v, _ := x.play(p); v != nil {
				out.plan = p
				r.Fatal(v.promise)
			}
			if out.plan == nil {
				out.after++
			}
		})
	})
	if out.plan == nil {
		return nil
	}
	v, story := x.play(out.plan)
	short := x.shrunk(out.plan, v, story)
	short.after = out.after
	return short
}

// shrunk makes a plan that breaks a promise short.
func (x *explorer) shrunk(p plan, v *violation, story []string) *found {
	if v != nil {
		promise := v.promise
		p = p.shrink(func(p plan) bool { v, _ := x.play(p); return v != nil && v.promise == promise })
		v, story = x.play(p)
	}
	return &found{plan: p, violation: v, story: story}
}

// quiet takes rapid's report, which a search makes its own of.
type quiet struct {
	*testing.T
	failed bool
}

func (q *quiet) Errorf(string, ...any) { q.failed = true }
func (q *quiet) Logf(string, ...any)   {}
func (q *quiet) Log(...any)            {}
func (q *quiet) Failed() bool          { return q.failed }
func (q *quiet) FailNow()              { panic(q) }
func (q *quiet) Fatal(...any)          { q.FailNow() }

func (q *quiet) run(f func()) {
	defer func() {
		if p := recover(); p != nil && p != any(q) {
			panic(p)
		}
	}()
	f()
}

// String tells a violation in words, and how to see it again.
func (f *found) String() string {
	return fmt.Sprintf("%s\n  %s\nafter %d schedules without; again: make soak PLAN='%s'", f.violation, strings.Join(f.story, "\n  "), f.after, f.plan)
}
