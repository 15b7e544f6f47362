package scenario

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/internal/nearest"
	"github.com/stormproof/stormproof/harness/scenario/expr"
)

// Lint checks what the schema cannot: expressions compile, faults exist, ids are unique,
// and every scenario checks something. mutants are the names of the known seeded bugs.
func Lint(list []*Scenario, mutants []string) Problems {
	var out Problems
	seen := map[string]string{}
	for _, s := range list {
		l := &linter{scenario: s, mutants: mutants, faults: map[string]bool{}}
		if first, dup := seen[s.ID]; dup {
			l.add("id", fmt.Sprintf("%s is taken by %s", s.ID, first), "ids are unique over the catalogue")
		}
		seen[s.ID] = s.File
		l.whole()
		l.steps("steps", s.Steps)
		out = append(out, l.problems...)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].File < out[j].File })
	return out
}

// linter collects the problems of one scenario.
type linter struct {
	scenario *Scenario
	mutants  []string
	faults   map[string]bool
	problems Problems
	checks   int
}

func (l *linter) add(field, message, suggestion string) {
	l.problems = append(l.problems, l.scenario.place(field).problem(message, suggestion))
}

func (l *linter) whole() {
	s := l.scenario
	l.system()
	if base := strings.ToLower(s.ID); !strings.HasPrefix(strings.ToLower(filepath.Base(s.File)), base) {
		l.add("id", "the file's name must begin with the id", "rename it to "+base+"-....yaml")
	}
	for i, k := range s.Kills {
		if !contains(l.mutants, k) {
			l.add(fmt.Sprintf("kills.%d", i), fmt.Sprintf("no seeded bug is called %q", k), nearest.Hint(k, l.mutants))
		}
	}
	if s.Needs.RedisDown {
		l.faults["redis-down"] = true
	}
	l.redisNeeds()
	l.checks = 0
	defer func() {
		if l.countChecks(s.Steps) == 0 {
			l.add("steps", "nothing is checked", "add answers, verdicts or a step expect, eventually or consistently")
		}
	}()
}

// countChecks counts the steps that can turn the scenario red.
func (l *linter) countChecks(steps []Step) int {
	n := 0
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Expect != nil, s.Eventually != nil, s.Consistently != nil:
			n++
		case s.Send != nil && (s.Send.Answers != nil || s.Send.Verdicts != nil):
			n++
		case s.Storm != nil && (s.Storm.Answers != nil || s.Storm.Verdicts != nil):
			n++
		case s.Load != nil && (s.Load.Answers != nil || s.Load.Verdicts != nil || s.Load.AnswersWithin != nil):
			n++
		}
		n += l.countChecks(s.Concurrently)
	}
	return n
}

func (l *linter) steps(path string, steps []Step) {
	for i := range steps {
		s, at := &steps[i], fmt.Sprintf("%s.%d", path, i)
		l.systemStep(at, s)
		switch {
		case s.Expect != nil:
			l.expression(at+".expect.that", s.Expect.That)
		case s.Eventually != nil:
			l.expression(at+".eventually.that", s.Eventually.That)
		case s.Consistently != nil:
			l.expression(at+".consistently.that", s.Consistently.That)
		case s.Phase != nil && s.Phase.Where != "":
			l.expression(at+".phase.where", s.Phase.Where)
		case s.Delete != nil && s.Delete.Where != "":
			l.expression(at+".delete.where", s.Delete.Where)
		case s.Load != nil:
			l.load(at+".load", s.Load)
		case s.Fault != nil:
			l.fault(at+".fault", s.Fault)
		case s.Heal != nil && !l.faults[*s.Heal]:
			l.add(at+".heal", fmt.Sprintf("no fault %q was armed before", *s.Heal), nearest.Hint(*s.Heal, sortedKeys(l.faults)))
		case s.Redis != nil:
			l.redis(at+".redis", s.Redis)
		case s.Crash != nil:
			l.crash(at+".crash", s.Crash)
		case s.Kill != nil, s.Terminate != nil, s.Restart != nil:
			l.replica(at, s)
		case s.Concurrently != nil:
			l.steps(at+".concurrently", s.Concurrently)
		}
	}
}

func (l *linter) expression(field, source string) {
	if _, err := expr.Compile(source); err != nil {
		l.add(field, strings.TrimSpace(err.Error()), "variables: "+strings.Join(sortedKeys(expr.Variables), ", "))
	}
}

func (l *linter) fault(field string, f *Fault) {
	if l.faults[f.ID] {
		l.add(field+".id", fmt.Sprintf("fault id %q is used twice", f.ID), "")
	}
	l.faults[f.ID] = true
	if f.Target == "redis" && !l.scenario.Needs.proxied() {
		l.add(field+".target", "no fault reaches these servers: clients go to each node directly, or speak TLS",
			"use a redis step, or needs without topology and tls")
	}
	if err := fault.Validate(f.Spec()); err != nil {
		l.add(field, err.Error(), "")
	}
}

// crash checks a crash point as far as it can be known: its id, its replica, and that the
// system is a process that can die alone.
func (l *linter) crash(field string, c *Crash) {
	if l.faults[c.Name()] {
		l.add(field+".id", fmt.Sprintf("fault id %q is used twice", c.Name()), "give this one an id of its own")
	}
	l.faults[c.Name()] = true
	l.replica(strings.TrimSuffix(field, ".crash"), &Step{Crash: c})
}

func (l *linter) replica(at string, s *Step) {
	var n int
	var field string
	switch {
	case s.Crash != nil:
		n, field = s.Crash.Replica, "crash"
	case s.Kill != nil:
		n, field = s.Kill.Replica, "kill"
	case s.Terminate != nil:
		n, field = s.Terminate.Replica, "terminate"
	default:
		n, field = s.Restart.Replica, "restart"
	}
	if have := max(1, l.scenario.Needs.Replicas); n > have {
		l.add(at+"."+field+".replica", fmt.Sprintf("there is no replica %d, only %d", n, have), fmt.Sprintf("write needs: {replicas: %d}", n))
	}
	if what := s.needsProgram(); what != "" && l.scenario.System == nil && l.scenario.Needs.System != "binary" {
		l.add(at+"."+field, what+" would end the harness itself where the gateway runs in its process", "write needs: {system: binary}")
	}
}

func contains(list []string, x string) bool {
	for _, v := range list {
		if v == x {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
