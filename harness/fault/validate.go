package fault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/nearest"
)

// Kinds lists the kinds of faults of a target, nil for an unknown target.
func Kinds(target string) []string {
	switch target {
	case Redis:
		return []string{Latency, Cut, Hang, ReplyLost, Bandwidth}
	case Sink:
		return []string{Status, Latency, Hang}
	case Kubernetes:
		return []string{Latency, Status, Hang, Reset, ReplyLost, SlowBody, WatchDrop}
	}
	return nil
}

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
	if s.Target == Sink {
		if err := checkSink(s); err != nil {
			return err
		}
		return nil
	}
	for _, check := range []func(Spec) *SpecError{checkKind, checkCounts, checkSettings, checkMatch} {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

func checkKind(s Spec) *SpecError {
	if err := oneOf("target", s.Target, []string{Redis, Kubernetes, Sink}); err != nil {
		return err
	}
	return oneOf("kind", s.Kind, Kinds(s.Target))
}

func checkCounts(s Spec) *SpecError {
	switch {
	case s.Times < 0:
		return &SpecError{"times", fmt.Sprintf("%d is negative", s.Times), "write how many hits, or 0 for until healed"}
	case s.After < 0:
		return &SpecError{"after", fmt.Sprintf("%d is negative", s.After), "write how many matches pass first"}
	}
	return nil
}

// setting is a field that only some kinds use.
type setting struct {
	field string
	set   bool
	kinds []string
}

func checkSettings(s Spec) *SpecError {
	for _, x := range []setting{
		{"delay", s.Delay != 0, []string{Latency}},
		{"code", s.Code != 0, []string{Status}},
		{"retryAfter", s.RetryAfter != 0, []string{Status}},
		{"reason", s.Reason != "", []string{Status}},
		{"bytesPerSecond", s.BytesPerSecond != 0, []string{Bandwidth, SlowBody}},
	} {
		if x.set && !slices.Contains(x.kinds, s.Kind) {
			return &SpecError{x.field, "a " + s.Kind + " fault does not use it",
				"remove it, or write kind: " + strings.Join(x.kinds, " or ")}
		}
	}
	switch {
	case s.Kind == Latency && s.Delay.Milliseconds() < 1:
		return &SpecError{"delay", fmt.Sprintf("%s is no delay", s.Delay), "write at least 1ms, for example delay: 500ms"}
	case s.Kind == Status && (s.Code < 400 || s.Code > 599):
		return &SpecError{"code", fmt.Sprintf("%d is not an error status", s.Code), "write 400 to 599, for example code: 503"}
	case s.RetryAfter < 0:
		return &SpecError{"retryAfter", fmt.Sprintf("%d is negative", s.RetryAfter), "write seconds"}
	case s.Kind == Bandwidth && s.BytesPerSecond < 1000:
		return &SpecError{"bytesPerSecond", fmt.Sprintf("%d is too slow for a Redis connection", s.BytesPerSecond),
			"write at least 1000; it is applied in whole thousands"}
	case s.Kind == SlowBody && s.BytesPerSecond < 1:
		return &SpecError{"bytesPerSecond", fmt.Sprintf("%d is not a rate", s.BytesPerSecond), "write at least 1"}
	}
	return nil
}

func checkMatch(s Spec) *SpecError {
	m := s.Match
	for _, x := range []struct{ field, value, target string }{
		{"command", m.Command, Redis}, {"verb", m.Verb, Kubernetes}, {"group", m.Group, Kubernetes},
		{"resource", m.Resource, Kubernetes}, {"subresource", m.Subresource, Kubernetes},
		{"namespace", m.Namespace, Kubernetes}, {"name", m.Name, Kubernetes},
	} {
		if x.value != "" && x.target != s.Target {
			return &SpecError{"match." + x.field, "only faults with target: " + x.target + " can match it", "remove it"}
		}
	}
	if m.Verb != "" {
		if err := oneOf("match.verb", m.Verb, Verbs()); err != nil {
			return err
		}
	}
	switch {
	case m.Command != "" && (s.Kind == Cut || s.Kind == Bandwidth):
		return &SpecError{"match.command", "a " + s.Kind + " fault hits whole connections", "remove it"}
	case m.Name != "" && m.Verb == "create":
		return &SpecError{"match.name", "the URL of a create holds no name", "remove it and match the resource"}
	case s.Kind == WatchDrop && m.Verb != "" && m.Verb != "watch":
		return &SpecError{"match.verb", "a watch-drop fault never meets " + m.Verb, "remove it, or write watch"}
	case s.Kind == ReplyLost && m.Verb == "watch":
		return &SpecError{"match.verb", "a watch has no single reply to lose", "write kind: watch-drop"}
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
