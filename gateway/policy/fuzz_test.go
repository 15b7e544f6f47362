package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// FuzzCompile: a table is refused with the field at fault, or it decides: every alert gets a
// priority, the one of its cell, and its examples are true.
func FuzzCompile(f *testing.F) {
	standard, err := yaml.Marshal(Default())
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{string(standard), "", "table: [{environments: [production], severities: [critical, critical], priority: P0}]",
		strings.Replace(string(standard), "P3", "P4", 1), "environments: {shop: moon}", "examples: [{environment: x, severity: y, want: ''}]"} {
		f.Add(text, "production", "critical", "shop")
	}
	f.Add(string(standard), "", "CRITICAL", "\xff")
	f.Fuzz(func(t *testing.T, text, environment, severity, namespace string) {
		var c Config
		if yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()) != nil {
			return // package config tells of it
		}
		p, err := Compile(c)
		var field *FieldError
		if err != nil {
			if !errors.As(err, &field) || field.Field == "" || field.Detail == "" {
				t.Errorf("an error that names no field: %v", err)
			}
			return
		}
		for _, env := range Environments() {
			for _, sev := range Severities() {
				if d := p.Decide(map[string]string{"environment": env, "severity": sev}); string(d.Environment) != env || d.Severity != sev || !slices.Contains(Priorities(), string(d.Priority)) {
					t.Errorf("%s and %s give %+v", env, sev, d)
				}
			}
		}
		for i, e := range c.Examples {
			if d := p.Decide(map[string]string{"environment": e.Environment, "severity": e.Severity}); slices.Contains(Environments(), e.Environment) && string(d.Priority) != e.Want {
				t.Errorf("example %d wants %s, and gets %+v", i, e.Want, d)
			}
		}
		d := p.Decide(map[string]string{"environment": environment, "severity": severity, "namespace": namespace})
		if !slices.Contains(Priorities(), string(d.Priority)) || !slices.Contains(Environments(), string(d.Environment)) || d.EnvironmentBy == "" || d.PriorityBy == "" {
			t.Errorf("environment %q, severity %q, namespace %q give %+v", environment, severity, namespace, d)
		}
	})
}
