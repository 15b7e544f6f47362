// Package offline answers questions about alerts without a cluster and without a server:
//
//	Explain  which labels and rules make an alert's fingerprint, group, target, priority
//	Replay   what would captured webhooks become, and is that what was expected
//
// Both use the gateway's own code: Replay runs its scripts in a Redis inside of the process,
// and its writer on a cluster that is a map.
package offline

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/policy"
)

// Explain writes for each alert of a payload what is made of it and by which rule. It
// returns how many alerts are invalid.
func Explain(w io.Writer, c config.Config, source string, body []byte) (invalid int, err error) {
	batch, err := parse(c, source, body)
	if err != nil {
		return 0, err
	}
	rules, err := policy.Compile(c.Policy)
	if err != nil {
		return 0, err
	}
	for _, a := range batch.Alerts {
		explain(w, c, rules, a)
	}
	for _, i := range batch.Skipped {
		_, _ = fmt.Fprintf(w, "alert %d is ignored: a Normal event asks for nothing\n", i)
	}
	for _, i := range batch.Invalid {
		_, _ = fmt.Fprintf(w, "alert %d is invalid: %s %s\n", i.Index, i.Field, i.Detail)
	}
	return len(batch.Invalid), nil
}

// parse reads a body as the source of that name does.
func parse(c config.Config, source string, body []byte) (alert.Batch, error) {
	var names []string
	for _, s := range alert.Sources() {
		if s.Name() == source {
			return s.Parse(body, c.Limits.Payload())
		}
		names = append(names, s.Name())
	}
	return alert.Batch{}, fmt.Errorf("there is no source %q: name one of %s", source, strings.Join(names, ", "))
}

func explain(w io.Writer, c config.Config, rules *policy.Policy, a alert.Alert) {
	line := func(what, value, by string) {
		if by != "" {
			by = "  (" + by + ")"
		}
		_, _ = fmt.Fprintf(w, "  %-12s %s%s\n", what, value, by)
	}
	state := "firing"
	if a.Resolved {
		state = "resolved: it never opens an incident"
	}
	_, _ = fmt.Fprintf(w, "alert %d  %s  %s\n", a.Index, a.Name(), state)
	id := c.Dedup.AlertIdentity()
	parts, ignored := id.Parts(a)
	line("fingerprint", id.Fingerprint(a), id.Version())
	line("made of", pairs(parts), "dedup.identity: "+string(c.Dedup.Identity))
	if len(ignored) > 0 {
		line("not of", strings.Join(ignored, " "), "dedup.ignoredLabels")
	}
	g := alert.GroupOf(a, c.Storm.AlertRules())
	rule := c.Storm.Rules[g.Rule]
	line("group", g.Key, fmt.Sprintf("storm.rules[%d]: a storm from %d in %s", g.Rule, rule.Threshold, rule.Window))
	target := a.Target()
	line("target", strings.TrimSuffix(strings.Join([]string{target.Kind, target.Namespace, target.Name}, "/"), "/"), "")
	d := rules.Decide(a.Labels)
	line("environment", string(d.Environment), d.EnvironmentBy)
	line("severity", a.Severity(), "looked up as "+d.Severity)
	line("priority", string(d.Priority), d.PriorityBy)
	line("object in", intake.Namespace(c, a.Labels), "")
}

// pairs writes labels in the order in which they are hashed.
func pairs(labels map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, fmt.Sprintf("%s=%q", k, labels[k]))
	}
	return strings.Join(out, " ")
}
