package scenario

import (
	"fmt"
	"strings"
	"time"
)

// DefaultTimeout bounds a round where the scenario does not say.
const DefaultTimeout = 60 * time.Second

// Bound is the time that one round may take, set-up and clean-up included.
func (s *Scenario) Bound() time.Duration {
	if s.Timeout == 0 {
		return DefaultTimeout
	}
	return s.Timeout.D()
}

func (l *linter) noTime() {
	for _, v := range l.steps {
		switch {
		case v.Eventually != nil && v.Eventually.Within <= 0:
			l.add(v.path+".eventually.within", "no time to wait", "write for example within: 5s; what must hold at once is an expect")
		case v.Consistently != nil && v.Consistently.For <= 0:
			l.add(v.path+".consistently.for", "no time to watch", "write for example for: 500ms; what must hold now is an expect")
		case v.Advance != nil && *v.Advance <= 0:
			l.add(v.path+".advance", "the clock does not move", "write for example advance: 5m1s")
		}
	}
}

// takes is the least time that a step needs when nothing fails.
func takes(s *Step) time.Duration {
	var out time.Duration
	switch {
	case s.Consistently != nil:
		return s.Consistently.For.D()
	case s.Load != nil && s.Load.Count == 0:
		return s.Load.For.D()
	case s.Sequence != nil:
		for i := range s.Sequence {
			out += takes(&s.Sequence[i])
		}
	case s.Concurrently != nil:
		for i := range s.Concurrently {
			out = max(out, takes(&s.Concurrently[i]))
		}
	}
	return out
}

func (l *linter) longerThanTimeout() {
	bound := l.scenario.Bound()
	for _, v := range l.steps {
		var of string
		var t time.Duration
		switch {
		case v.Eventually != nil:
			of, t = ".eventually.within", v.Eventually.Within.D()
		case v.Consistently != nil:
			of, t = ".consistently.for", takes(v.Step)
		case v.Load != nil:
			of, t = ".load.for", takes(v.Step)
		}
		if t >= bound {
			l.add(v.path+of, fmt.Sprintf("%s is longer than the whole scenario may take, %s", t, bound),
				fmt.Sprintf("write timeout: %s at the top, or a shorter time here", t+DefaultTimeout))
		}
	}
}

func (l *linter) unreachable() {
	l.unreachableIn("steps", l.scenario.Steps)
	for _, v := range l.steps {
		l.unreachableIn(v.path+".sequence", v.Sequence)
	}
}

// unreachableIn finds the first step of a list that cannot come: one before it must fail, or
// the steps before it outlast the timeout.
func (l *linter) unreachableIn(list string, steps []Step) {
	var spent time.Duration
	for i := range steps {
		at, next := fmt.Sprintf("%s.%d", list, i), fmt.Sprintf("%s.%d", list, i+1)
		last := i == len(steps)-1
		if failing := l.mustFail(at); failing != "" && !last {
			_, line, _ := l.scenario.Position(failing)
			l.add(next, fmt.Sprintf("it is never reached: the step at line %d always fails", line), "mend that one first")
			return
		}
		step := takes(&steps[i])
		if spent += step; step > 0 && step < l.scenario.Bound() && spent >= l.scenario.Bound() && !last {
			l.add(next, fmt.Sprintf("it is never reached: the steps before it take %s, and the scenario may take %s", spent, l.scenario.Bound()),
				fmt.Sprintf("write timeout: %s at the top", spent+DefaultTimeout))
			return
		}
	}
}

// mustFail is the path of a step, at a path or inside of it, whose assertion can never be
// true; "" for none.
func (l *linter) mustFail(path string) string {
	for _, v := range l.steps {
		if v.path != path && !strings.HasPrefix(v.path, path+".") {
			continue
		}
		for _, a := range v.assertions() {
			e := l.expr(a.source)
			if e == nil || a.where {
				continue
			}
			if value, known := e.Constant(); known && !value {
				return v.path
			}
		}
	}
	return ""
}
