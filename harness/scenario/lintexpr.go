package scenario

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stormproof/stormproof/harness/internal/nearest"
	"github.com/stormproof/stormproof/harness/scenario/expr"
)

// assertion is an expression of a step.
type assertion struct {
	field, source string
	// where says that it picks objects and asserts nothing; waits, that it is looked at again.
	where, waits bool
}

func (v visited) assertions() []assertion {
	switch {
	case v.Expect != nil:
		return []assertion{{v.path + ".expect.that", v.Expect.That, false, false}}
	case v.Eventually != nil:
		return []assertion{{v.path + ".eventually.that", v.Eventually.That, false, true}}
	case v.Consistently != nil:
		return []assertion{{v.path + ".consistently.that", v.Consistently.That, false, true}}
	case v.Phase != nil && v.Phase.Where != "":
		return []assertion{{v.path + ".phase.where", v.Phase.Where, true, false}}
	case v.Delete != nil && v.Delete.Where != "":
		return []assertion{{v.path + ".delete.where", v.Delete.Where, true, false}}
	default:
		return nil
	}
}

// expr is an expression that compiles, else nil.
func (l *linter) expr(source string) *expr.Expression {
	if e, known := l.compiled[source]; known {
		return e
	}
	e, err := expr.Compile(source)
	if err != nil {
		e = nil
	}
	l.compiled[source] = e
	return e
}

// each calls do for every expression that compiles.
func (l *linter) each(do func(visited, assertion, *expr.Expression)) {
	for _, v := range l.steps {
		for _, a := range v.assertions() {
			if e := l.expr(a.source); e != nil {
				do(v, a, e)
			}
		}
	}
}

// addIn adds a problem at a character of a text.
func (l *linter) addIn(field string, offset int, message, suggestion string) {
	at := l.scenario.place(field)
	p := at.problem(message, suggestion)
	if l.scenario.places != nil {
		p.Line, p.Col = at.inText(offset)
	}
	l.problems = append(l.problems, p)
}

func (l *linter) expressions() {
	for _, v := range l.steps {
		for _, a := range v.assertions() {
			_, err := expr.Compile(a.source)
			var wrong *expr.Error
			switch {
			case errors.As(err, &wrong):
				l.addIn(a.field, wrong.Offset, wrong.Message, wrong.Suggestion)
			case err != nil:
				l.add(a.field, err.Error(), "write an expression that yields true or false")
			}
		}
	}
}

func (l *linter) variables() {
	l.each(func(_ visited, a assertion, e *expr.Expression) {
		for _, name := range e.Uses() {
			at := runeOffset(a.source, name)
			switch {
			case a.where && name != "it":
				l.addIn(a.field, at, fmt.Sprintf("where sees one object as `it`, and not %s", name), "write about it, for example it.spec.alertName == 'DiskFull'")
			case !a.where && name == "it":
				l.addIn(a.field, at, "`it` is known in where only", "write about rr, for example rr.all(r, r.spec.priority == 'P1')")
			case name == "redisNodes" && l.scenario.Needs.sharded() == "":
				l.addIn(a.field, at, "redisNodes are the servers of a topology, and this scenario has none of its own", "write needs: {redis: own, topology: sentinel}")
			case name == "spans" && len(l.scenario.Sinks) == 0:
				l.addIn(a.field, at, "spans come to a sink, and there is none", "write sinks: [collector], and gateway: {telemetry: {traces: {endpoint: '{{sink.collector}}'}}}")
			case name == "objects" && (l.scenario.System == nil || len(l.scenario.System.Objects) == 0):
				l.addIn(a.field, at, "no kinds of objects are declared", "list them in system.objects; the gateway's own are rr and pages")
			}
		}
		for _, ref := range e.Refs("received") {
			if !contains(l.scenario.Sinks, ref.Name) {
				l.addIn(a.field, ref.Offset, fmt.Sprintf("there is no sink %q", ref.Name), orElse(nearest.Hint(ref.Name, l.scenario.Sinks), fmt.Sprintf("write sinks: [%s]", ref.Name)))
			}
		}
	})
}

func (l *linter) answersOf() {
	l.refs("answers", "nothing that was sent is called %q", func(s *Step) (string, string) {
		if s.Alertmanager != nil {
			return "alertmanager", "alertmanager" // what it delivers is under its own name
		}
		return s.sender()
	}, nil)
}

func (l *linter) faultsOf() {
	var always []string
	if l.scenario.Needs.RedisDown {
		always = []string{"redis-down"}
	}
	l.refs("faults", "no fault or crash is called %q", (*Step).breaker, always)
}

// refs checks that what an expression names was there before.
func (l *linter) refs(variable, unknown string, idOf func(*Step) (string, string), always []string) {
	l.each(func(v visited, a assertion, e *expr.Expression) {
		for _, ref := range e.Refs(variable) {
			before, later := slices.Clone(always), ""
			for _, other := range l.steps {
				id, _ := idOf(other.Step)
				if id != "" && v.sees(other) {
					before = append(before, id)
				} else if id == ref.Name {
					_, line, _ := l.scenario.Position(other.path)
					later = fmt.Sprintf("%s.%s comes later, at line %d", variable, ref.Name, line)
				}
			}
			switch {
			case contains(before, ref.Name):
			case later != "":
				l.addIn(a.field, ref.Offset, later, "move this step behind it")
			default:
				l.addIn(a.field, ref.Offset, fmt.Sprintf(unknown, ref.Name), orElse(nearest.Hint(ref.Name, before), "add one before this step"))
			}
		}
	})
}

func (l *linter) cannotFail() {
	l.each(func(_ visited, a assertion, e *expr.Expression) {
		value, known := e.Constant()
		switch {
		case !known || a.where || a.waits && len(e.Uses()) == 0:
		case value:
			l.add(a.field, "it is true whatever happens", "compare what you see with what must be, for example rr.size() == 1")
		default:
			l.add(a.field, "it can never be true", "compare what you see with what must be, for example rr.size() == 1")
		}
	})
}

func (l *linter) waitsForNothing() {
	l.each(func(_ visited, a assertion, e *expr.Expression) {
		if a.waits && len(e.Uses()) == 0 {
			l.add(a.field, "it reads no variable, so waiting changes nothing", "write about what may change, for example rr.size() == 1")
		}
	})
}

func (l *linter) emptyDemands() {
	for _, v := range l.steps {
		_, field := v.sender()
		for name, demand := range v.demands() {
			if demand != nil && len(demand) == 0 {
				l.add(v.path+"."+field+"."+name, "it demands nothing", "write for example "+map[string]string{"answers": "answers: {201: 1}", "verdicts": "verdicts: {created: 1}"}[name]+", or leave it out")
			}
		}
	}
}

func (s *Step) demands() map[string]map[string]int {
	switch {
	case s.Send != nil:
		return map[string]map[string]int{"answers": s.Send.Answers, "verdicts": s.Send.Verdicts}
	case s.Storm != nil:
		return map[string]map[string]int{"answers": s.Storm.Answers, "verdicts": s.Storm.Verdicts}
	case s.Load != nil:
		return map[string]map[string]int{"answers": s.Load.Answers, "verdicts": s.Load.Verdicts}
	default:
		return nil
	}
}

func (l *linter) checked() {
	for _, v := range l.steps {
		demands := v.demands()
		if v.Expect != nil || v.Refused != nil || v.Eventually != nil || v.Consistently != nil || demands["answers"] != nil || demands["verdicts"] != nil ||
			v.Load != nil && v.Load.AnswersWithin != nil {
			return
		}
	}
	l.add("steps", "nothing is checked", "add answers, verdicts or a step expect, eventually or consistently")
}
