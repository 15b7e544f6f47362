package scenario

import (
	"fmt"
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
	for _, v := range l.steps {
		field := map[bool]string{true: ".consistently.for", false: ".load.for"}[v.Consistently != nil]
		if t := takes(v.Step); t >= l.scenario.Bound() && v.Concurrently == nil && v.Sequence == nil {
			l.add(v.path+field, fmt.Sprintf("%s is longer than the whole scenario may take, %s", t, l.scenario.Bound()),
				fmt.Sprintf("write timeout: %s at the top, or a shorter time here", t+DefaultTimeout))
		}
	}
}

// unreachable finds the first step that cannot come: one before it must fail, or the steps
// before it outlast the timeout.
func (l *linter) unreachable() {
	var spent time.Duration
	steps := l.scenario.Steps
	for i := range steps[:len(steps)-1] {
		at, next := fmt.Sprintf("steps.%d", i), fmt.Sprintf("steps.%d", i+1)
		_, line, _ := l.scenario.Position(at)
		if l.mustFail(at) {
			l.add(next, fmt.Sprintf("it is never reached: the step at line %d always fails", line), "mend that one first")
			return
		}
		step := takes(&steps[i])
		if spent += step; step > 0 && step < l.scenario.Bound() && spent >= l.scenario.Bound() {
			l.add(next, fmt.Sprintf("it is never reached: the steps before it take %s, and the scenario may take %s", spent, l.scenario.Bound()),
				fmt.Sprintf("write timeout: %s at the top", spent+DefaultTimeout))
			return
		}
	}
}

// mustFail says that an assertion at a path can never be true.
func (l *linter) mustFail(path string) bool {
	for _, v := range l.steps {
		if v.path != path {
			continue
		}
		for _, a := range v.assertions() {
			if e := l.expr(a.source); e != nil && !a.where {
				value, known := e.Constant()
				return known && !value
			}
		}
	}
	return false
}
