package policy_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stormproof/stormproof/gateway/policy"
)

func TestDecide(t *testing.T) {
	c := policy.Default()
	c.Environments = map[string]string{"shop": "production", "shop-qa": "testing"}
	p, err := policy.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		labels    map[string]string
		env, prio string
	}{
		"critical in production is P0":             {map[string]string{"environment": "production", "severity": "critical"}, "production", "P0"},
		"warning in production is P1":              {map[string]string{"environment": "production", "severity": "warning"}, "production", "P1"},
		"critical in staging is P1":                {map[string]string{"environment": "staging", "severity": "critical"}, "staging", "P1"},
		"the namespace says production":            {map[string]string{"namespace": "shop", "severity": "critical"}, "production", "P0"},
		"the label wins over the namespace":        {map[string]string{"environment": "staging", "namespace": "shop", "severity": "critical"}, "staging", "P1"},
		"a label of no meaning gives way":          {map[string]string{"environment": "moon", "namespace": "shop-qa", "severity": "critical"}, "testing", "P2"},
		"a namespace matches by its whole name":    {map[string]string{"namespace": "shop-2", "severity": "critical"}, "unknown", "P1"},
		"nothing known at all is P2":               {nil, "unknown", "P2"},
		"an invented severity counts as unknown":   {map[string]string{"environment": "production", "severity": "page"}, "production", "P1"},
		"info is never urgent, even in production": {map[string]string{"environment": "production", "severity": "info"}, "production", "P3"},
	} {
		t.Run(name, func(t *testing.T) {
			d := p.Decide(tc.labels)
			if string(d.Environment) != tc.env || string(d.Priority) != tc.prio {
				t.Errorf("got %+v, want %s %s", d, tc.env, tc.prio)
			}
		})
	}
}

func TestCompileRefusesWhatCannotDecide(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*policy.Config)
		want string
	}{
		"a pair without an answer": {func(c *policy.Config) { c.Table = c.Table[1:] },
			"environment production and severity critical have no priority"},
		"a pair with two answers": {func(c *policy.Config) { c.Table = append(c.Table, c.Table[0]) }, "policy.table[11]"},
		"an example that the table contradicts": {func(c *policy.Config) { c.Examples[0].Want = "P3" },
			"policy.examples[0]: environment production and severity critical give P0"},
		"a priority that does not exist":     {func(c *policy.Config) { c.Table[0].Priority = "P9" }, `policy.table[0].priority: "P9"`},
		"an environment that does not exist": {func(c *policy.Config) { c.Table[0].Environments = []string{"prod"} }, "policy.table[0].environments"},
		"a severity that does not exist":     {func(c *policy.Config) { c.Table[0].Severities = []string{"fatal"} }, "policy.table[0].severities"},
		"a namespace in no environment":      {func(c *policy.Config) { c.Environments = map[string]string{"shop": "prod"} }, "policy.environments.shop"},
	} {
		t.Run(name, func(t *testing.T) {
			c := policy.Default()
			tc.edit(&c)
			_, err := policy.Compile(c)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v does not say %q", err, tc.want)
			}
		})
	}
}

func TestEveryAlertGetsAPriority(t *testing.T) {
	p, err := policy.Compile(policy.Default())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.MapOf(rapid.SampledFrom([]string{"environment", "severity", "namespace"}), rapid.String()).Draw(t, "labels")
		if d := p.Decide(labels); d.Environment == "" || d.Priority == "" || d.EnvironmentBy == "" {
			t.Fatalf("labels %v got %+v", labels, d)
		}
	})
}

func TestADecisionNamesTheRuleThatMadeIt(t *testing.T) {
	c := policy.Default()
	c.Environments["shop"] = "staging"
	p, err := policy.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		labels map[string]string
		want   policy.Decision
	}{
		"the label": {map[string]string{"environment": "production", "namespace": "shop", "severity": "critical"},
			policy.Decision{Environment: "production", EnvironmentBy: "label environment", Severity: "critical", Priority: "P0", PriorityBy: "policy.table[0]"}},
		"the namespace": {map[string]string{"environment": "prod", "namespace": "shop", "severity": "fatal"},
			policy.Decision{Environment: "staging", EnvironmentBy: "policy.environments.shop", Severity: "unknown", Priority: "P2", PriorityBy: "policy.table[4]"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.Decide(tc.labels); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
