package fault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/nearest"
)

// Verbs lists what Match.Verb may be.
func Verbs() []string {
	return []string{"get", "list", "watch", "create", "update", "patch", "delete"}
}

// SpecError says which field of a Spec is wrong, and what to write instead.
type SpecError struct {
	// Field is the path inside the Spec as written in YAML, for example match.verb.
	Field string
	// Problem says what is wrong, Fix what to type.
	Problem string
	Fix     string
}

// Error implements error.
func (e *SpecError) Error() string { return e.Field + ": " + e.Problem + "; " + e.Fix }

// Validate explains the first thing that is wrong with a Spec as a *SpecError, nil when
// nothing is.
func Validate(s Spec) error {
	for _, check := range []func(Spec) *SpecError{checkKind, checkFields, checkCounts, checkMatch, checkSettings} {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

func checkKind(s Spec) *SpecError {
	if err := oneOf("target", s.Target, Targets()); err != nil {
		return err
	}
	return oneOf("kind", s.Kind, Kinds(s.Target))
}

// fields are the settings of a Spec that are written, by their names in YAML, in the order
// of the file.
func (s Spec) fields() []string {
	m := s.Match
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"times", s.Times != 0}, {"after", s.After != 0}, {"replica", s.Replica != 0},
		{"delay", s.Delay != 0}, {"code", s.Code != 0}, {"retryAfter", s.RetryAfter != 0}, {"reason", s.Reason != ""},
		{"bytesPerSecond", s.BytesPerSecond != 0},
		{"match.command", m.Command != ""}, {"match.verb", m.Verb != ""}, {"match.group", m.Group != ""},
		{"match.resource", m.Resource != ""}, {"match.subresource", m.Subresource != ""},
		{"match.namespace", m.Namespace != ""}, {"match.name", m.Name != ""},
	} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return out
}

// checkFields refuses what the kind does not read, and names the kinds that do.
func checkFields(s Spec) *SpecError {
	k := KindOf(s)
	for _, field := range s.fields() {
		if slices.Contains(k.Reads, field) {
			continue
		}
		var others []string
		for _, other := range Registry() {
			if other.Target == s.Target && slices.Contains(other.Reads, field) {
				others = append(others, other.Name)
			}
		}
		fix := "remove it"
		if len(others) > 0 && len(others) <= 3 {
			fix += ", or write kind: " + strings.Join(others, " or ")
		}
		return &SpecError{field, fmt.Sprintf("a %s fault with target: %s does not use it", s.Kind, s.Target), fix}
	}
	return nil
}

func checkCounts(s Spec) *SpecError {
	switch {
	case s.Times < 0:
		return &SpecError{"times", fmt.Sprintf("%d is negative", s.Times), "write how many hits, or 0 for until healed"}
	case s.After < 0:
		return &SpecError{"after", fmt.Sprintf("%d is negative", s.After), "write how many matches pass first"}
	case s.Replica < 0:
		return &SpecError{"replica", fmt.Sprintf("%d is no replica", s.Replica), "write its number from 1, or nothing for all"}
	}
	return nil
}

func checkMatch(s Spec) *SpecError {
	m := s.Match
	if m.Verb != "" {
		if err := oneOf("match.verb", m.Verb, Verbs()); err != nil {
			return err
		}
	}
	if s.Target == Kubernetes && m.Name != "" && m.Verb == "create" {
		return &SpecError{"match.name", "the URL of a create holds no name", "remove it and match the resource"}
	}
	return nil
}

func checkSettings(s Spec) *SpecError {
	if check := KindOf(s).check; check != nil {
		return check(s)
	}
	return nil
}

func checkDelay(s Spec) *SpecError {
	if s.Delay.Milliseconds() < 1 {
		return &SpecError{"delay", fmt.Sprintf("%s is no delay", s.Delay), "write at least 1ms, for example delay: 500ms"}
	}
	return nil
}

func checkStatus(s Spec) *SpecError {
	switch {
	case s.Code < 400 || s.Code > 599:
		return &SpecError{"code", fmt.Sprintf("%d is not an error status", s.Code), "write 400 to 599, for example code: 503"}
	case s.RetryAfter < 0:
		return &SpecError{"retryAfter", fmt.Sprintf("%d is negative", s.RetryAfter), "write seconds"}
	}
	return nil
}

// oneOf checks a word against the list of valid ones and names the nearest.
func oneOf(field, got string, valid []string) *SpecError {
	if slices.Contains(valid, got) {
		return nil
	}
	all := strings.Join(valid, ", ")
	if got == "" {
		return &SpecError{field, "it is missing", "write one of " + all}
	}
	best := slices.MinFunc(valid, func(a, b string) int { return nearest.Distance(got, a) - nearest.Distance(got, b) })
	return &SpecError{field, fmt.Sprintf("%q is unknown", got), fmt.Sprintf("did you mean %s? Valid: %s", best, all)}
}
