// Package policy decides how urgent an incident is: environment x severity -> P0..P3.
//
// The decision is a table in the configuration, and nothing else: no code to read, no
// order of rules to think about. Compile checks that every pair has exactly one answer and
// runs the examples written beside the table, so a table that loads is a table that decides.
// Deciding is pure.
package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// Unknown is both the environment and the severity of an alert that does not say.
const Unknown = "unknown"

// Environments in the order of the API.
func Environments() []string {
	return []string{"production", "staging", "development", "testing", Unknown}
}

// Severities that the table distinguishes; every other value of the label is Unknown.
func Severities() []string { return []string{"critical", "warning", "info", Unknown} }

// Priorities lists the priorities, most urgent first.
func Priorities() []string { return []string{"P0", "P1", "P2", "P3"} }

// Config is the policy as written.
type Config struct {
	// Environments maps a namespace, by its exact name, to an environment. The alert's
	// label "environment" wins over it.
	Environments map[string]string `yaml:"environments"`
	Table        []Row             `yaml:"table"`
	// Examples are checked whenever the table is loaded.
	Examples []Example `yaml:"examples"`
}

// Row gives a priority to every pair of its environments and severities.
type Row struct {
	Environments []string `yaml:"environments,flow"`
	Severities   []string `yaml:"severities,flow"`
	Priority     string   `yaml:"priority"`
}

// Example is a decision that the table must make.
type Example struct {
	Environment string `yaml:"environment"`
	Severity    string `yaml:"severity"`
	Want        string `yaml:"want"`
}

// Default is the policy where the configuration has none.
func Default() Config {
	return Config{
		Environments: map[string]string{},
		Table: []Row{
			{[]string{"production"}, []string{"critical"}, "P0"},
			{[]string{"production"}, []string{"warning", Unknown}, "P1"},
			{[]string{"production"}, []string{"info"}, "P3"},
			{[]string{"staging"}, []string{"critical"}, "P1"},
			{[]string{"staging"}, []string{"warning", Unknown}, "P2"},
			{[]string{"staging"}, []string{"info"}, "P3"},
			{[]string{"development", "testing"}, []string{"critical"}, "P2"},
			{[]string{"development", "testing"}, []string{"warning", "info", Unknown}, "P3"},
			{[]string{Unknown}, []string{"critical"}, "P1"},
			{[]string{Unknown}, []string{"warning", Unknown}, "P2"},
			{[]string{Unknown}, []string{"info"}, "P3"},
		},
		Examples: []Example{
			{"production", "critical", "P0"},
			{"production", "warning", "P1"},
			{"staging", "critical", "P1"},
			{"staging", "warning", "P2"},
			{Unknown, Unknown, "P2"},
		},
	}
}

// FieldError says what is wrong with one key of a configuration.
type FieldError struct {
	// Field is the key's path, for example policy.table[2].priority.
	Field string
	// Detail says what is wrong and what to write instead.
	Detail string
}

// Error names the field first.
func (e *FieldError) Error() string { return e.Field + ": " + e.Detail }

func wrong(field, format string, args ...any) error {
	return &FieldError{Field: field, Detail: fmt.Sprintf(format, args...)}
}

type pair struct{ environment, severity string }

// cell is a place of the table, and the row that filled it.
type cell struct {
	priority string
	row      int
}

// Policy is a checked table. Its zero value is of no use; see Compile.
type Policy struct {
	namespaces map[string]string
	table      map[pair]cell
}

// Compile checks the configuration and makes it ready to decide. Errors name the field.
func Compile(c Config) (*Policy, error) {
	p := &Policy{namespaces: c.Environments, table: map[pair]cell{}}
	for namespace, env := range c.Environments {
		if err := oneOf("policy.environments."+namespace, env, Environments()); err != nil {
			return nil, err
		}
	}
	for i, row := range c.Table {
		if err := p.add(i, row); err != nil {
			return nil, err
		}
	}
	if err := p.complete(); err != nil {
		return nil, err
	}
	for i, e := range c.Examples {
		if got := p.cell(e.Environment, e.Severity).priority; got != e.Want {
			return nil, wrong(fmt.Sprintf("policy.examples[%d]", i), "environment %s and severity %s give %s, but the example wants %s: correct the table or the example",
				e.Environment, e.Severity, got, e.Want)
		}
	}
	return p, nil
}

func (p *Policy) add(i int, row Row) error {
	field := fmt.Sprintf("policy.table[%d]", i)
	if err := oneOf(field+".priority", row.Priority, Priorities()); err != nil {
		return err
	}
	for _, env := range row.Environments {
		if err := oneOf(field+".environments", env, Environments()); err != nil {
			return err
		}
		for _, sev := range row.Severities {
			if err := oneOf(field+".severities", sev, Severities()); err != nil {
				return err
			}
			if earlier, ok := p.table[pair{env, sev}]; ok {
				return wrong(field, "environment %s and severity %s already have priority %s in row %d: keep one", env, sev, earlier.priority, earlier.row)
			}
			p.table[pair{env, sev}] = cell{row.Priority, i}
		}
	}
	return nil
}

func (p *Policy) complete() error {
	for _, env := range Environments() {
		for _, sev := range Severities() {
			if _, ok := p.table[pair{env, sev}]; !ok {
				return wrong("policy.table", "environment %s and severity %s have no priority: add a row for them", env, sev)
			}
		}
	}
	return nil
}

func oneOf(field, value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return wrong(field, "%q is none of %s", value, strings.Join(allowed, ", "))
}

// Decision is what the policy says of an alert, and by which of its rules.
type Decision struct {
	Environment v1alpha1.Environment
	// EnvironmentBy is the label or the key that named the environment.
	EnvironmentBy string
	// Severity is the one that the table was asked for: unknown where it has no such column.
	Severity string
	Priority v1alpha1.Priority
	// PriorityBy is the row of the table.
	PriorityBy string
}

// Decide says what an alert with these labels is.
func (p *Policy) Decide(labels map[string]string) Decision {
	env, by := p.environment(labels)
	severity := column(labels["severity"])
	c := p.cell(env, severity)
	return Decision{Environment: v1alpha1.Environment(env), EnvironmentBy: by, Severity: severity,
		Priority: v1alpha1.Priority(c.priority), PriorityBy: fmt.Sprintf("policy.table[%d]", c.row)}
}

// environment is what the alert says, else what its namespace is known as.
func (p *Policy) environment(labels map[string]string) (env, by string) {
	if env := labels["environment"]; slices.Contains(Environments(), env) {
		return env, "label environment"
	}
	if env, ok := p.namespaces[labels["namespace"]]; ok {
		return env, "policy.environments." + labels["namespace"]
	}
	return Unknown, "neither a label nor policy.environments names it"
}

func (p *Policy) cell(environment, severity string) cell {
	return p.table[pair{environment, column(severity)}]
}

// column is the severity as the table knows it.
func column(severity string) string {
	if slices.Contains(Severities(), severity) {
		return severity
	}
	return Unknown
}
