package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/internal/nearest"
)

func (l *linter) uniqueID() {
	if first, dup := l.taken[l.scenario.ID]; dup {
		l.add("id", fmt.Sprintf("%s is taken by %s", l.scenario.ID, first), "ids are unique over the catalogue; type: stormproof new")
	}
}

func (l *linter) fileName() {
	base := strings.ToLower(l.scenario.ID)
	if !strings.HasPrefix(strings.ToLower(filepath.Base(l.scenario.File)), base) {
		l.add("id", "the file's name must begin with the id", "rename it to "+base+"-....yaml")
	}
}

// schemaMark is how the YAML language server is told of a schema.
const schemaMark = "# yaml-language-server: $schema="

func (l *linter) schemaLine() {
	if l.scenario.places == nil {
		return
	}
	src := l.scenario.places.root.src
	first, _, _ := strings.Cut(string(src.text), "\n")
	schema, marked := strings.CutPrefix(first, schemaMark)
	if !marked || strings.Contains(schema, "://") {
		return
	}
	path := place{src: src}.sibling(strings.TrimSpace(schema))
	if _, err := os.Stat(path); err != nil {
		l.problems = append(l.problems, Problem{File: src.name, Line: 1, Col: len(schemaMark) + 1, Field: "$schema",
			Message: "there is no file " + path, Suggestion: "write the schema's path relative to this file; stormproof schema prints the schema"})
	}
}

func (l *linter) kills() {
	for i, k := range l.scenario.Kills {
		if !contains(l.mutants, k) {
			l.add(fmt.Sprintf("kills.%d", i), fmt.Sprintf("no seeded bug is called %q", k), orElse(nearest.Hint(k, l.mutants), "add it to fixtures/mutants"))
		}
	}
}

func (l *linter) unusedParams() { l.problems = append(l.problems, l.all.unused...) }

// sender is the id of a step that fills answers, and its field.
func (s *Step) sender() (id, field string) {
	switch {
	case s.Send != nil:
		return s.Send.ID, "send"
	case s.Storm != nil:
		return s.Storm.ID, "storm"
	case s.Load != nil:
		return s.Load.ID, "load"
	default:
		return "", ""
	}
}

// breaker is the id of a step that fills faults, and its field.
func (s *Step) breaker() (id, field string) {
	switch {
	case s.Fault != nil:
		return s.Fault.ID, "fault"
	case s.Crash != nil:
		return s.Crash.Name(), "crash"
	default:
		return "", ""
	}
}

func (l *linter) stepIDs() { l.duplicates("step", (*Step).sender) }

func (l *linter) faultIDs() { l.duplicates("fault", (*Step).breaker) }

// duplicates refuses an id that an earlier step of the same kind has.
func (l *linter) duplicates(what string, idOf func(*Step) (string, string)) {
	first := map[string]visited{}
	for _, v := range l.steps {
		id, field := idOf(v.Step)
		if id == "" {
			continue
		}
		if earlier, dup := first[id]; dup {
			file, line, _ := l.scenario.Position(earlier.path)
			suggestion := "give this one an id of its own"
			if l.scenario.place(v.path).via != nil {
				suggestion = "make the fragment's id from a parameter, for example id: \"open-{{pod}}\""
			}
			l.add(v.path+"."+field+".id", fmt.Sprintf("%s id %q is used twice, first at %s:%d", what, id, file, line), suggestion)
			continue
		}
		first[id] = v
	}
}

func (l *linter) faultKinds() {
	for _, v := range l.steps {
		if v.Fault == nil {
			continue
		}
		if v.Fault.Target == fault.Redis && !l.scenario.Needs.proxied() {
			l.add(v.path+".fault.target", "no fault reaches these servers: clients go to each node directly, or speak TLS",
				"use a redis step, or needs without topology and tls")
		}
		var wrong *fault.SpecError
		if err := fault.Validate(v.Fault.Spec()); errors.As(err, &wrong) {
			l.add(v.path+".fault."+wrong.Field, wrong.Problem, wrong.Fix)
			continue
		}
		if fault.KindOf(v.Fault.Spec()).OwnServer && l.scenario.Needs.Redis != "own" {
			l.add(v.path+".fault.kind", v.Fault.Kind+" reconfigures the server, which others use too", "write needs: {redis: own}")
		}
	}
}

func (l *linter) heals() {
	for _, v := range l.steps {
		if v.Heal == nil {
			continue
		}
		armed := l.armedFor(v)
		if !contains(armed, *v.Heal) {
			l.add(v.path+".heal", fmt.Sprintf("no fault %q was armed before", *v.Heal), orElse(nearest.Hint(*v.Heal, armed), "arm it with a step fault"))
		}
	}
}

// armedFor lists the faults that a step may know.
func (l *linter) armedFor(v visited) []string {
	var out []string
	if l.scenario.Needs.RedisDown {
		out = append(out, "redis-down")
	}
	for _, other := range l.steps {
		if id, _ := other.breaker(); id != "" && v.sees(other) {
			out = append(out, id)
		}
	}
	return out
}

// faultTraffic looks at each fault for something that can meet it while it stands.
func (l *linter) faultTraffic() {
	for _, armed := range l.steps {
		if armed.Fault == nil {
			continue
		}
		met := false
		for _, v := range l.steps {
			if v.n <= armed.n && !v.overlaps(armed) {
				continue
			}
			if v.Heal != nil && *v.Heal == armed.Fault.ID && !v.overlaps(armed) {
				break
			}
			met = met || l.stirs(v)
		}
		if !met {
			l.add(armed.path+".fault", fmt.Sprintf("nothing happens while fault %q stands, so it tests nothing", armed.Fault.ID),
				"send something behind it, and before it is healed")
		}
	}
}

// stirs says that a step makes the system work, or waits until it does so by itself.
func (l *linter) stirs(v visited) bool {
	switch {
	case v.Fault != nil, v.Heal != nil, v.Crash != nil, v.Concurrently != nil, v.Sequence != nil:
		return false
	case v.Expect != nil:
		e := l.expr(v.Expect.That)
		return e != nil && (contains(e.Uses(), "ready") || contains(e.Uses(), "health"))
	default:
		return true
	}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
