package scenario

import (
	"maps"
	"slices"
	"testing"
)

// oneSend is a step that sends, checked, under the id one.
const oneSend = "  - send: {id: one, alerts: [{labels: {alertname: A}}], answers: {201: 1}}\n"

// ownService describes a service in the folder service beside the scenario.
const ownService = "system: {build: ./service, objects: [{apiVersion: v1, kind: ConfigMap}]}\n"

// ruleCases holds for every rule one text that it refuses, and the nearest that it takes.
var ruleCases = map[string]struct{ refused, taken string }{
	"file-name":         {"", sound}, // by name, below
	"unique-id":         {"", sound}, // by a second file, below
	"schema-line":       {"# yaml-language-server: $schema=nowhere.json\n" + sound, "# yaml-language-server: $schema=schema.json\n" + sound},
	"system":            {head + "system: {build: ./servce}\nsteps:\n" + oneSend, head + ownService + "steps:\n" + oneSend},
	"kills":             {head + "kills: [no-such-bug]\nsteps:\n" + oneSend, head + "kills: [hold-ignored]\nsteps:\n" + oneSend},
	"unused-param":      {head + "params: {n: 2}\nsteps:\n" + oneSend, head + "params: {n: 2}\nsteps:\n  - storm: {id: one, count: \"{{n}}\", answers: {201: 2}}\n"},
	"step-ids":          {head + "steps:\n" + oneSend + "  - storm: {id: one, count: 2}\n", head + "steps:\n" + oneSend + "  - storm: {id: two, count: 2}\n"},
	"fault-ids":         {head + "steps:\n" + twoFaults("f", "f"), head + "steps:\n" + twoFaults("f", "g")},
	"fault-kind":        {head + "steps:\n  - fault: {id: f, target: redis, kind: watch-drop}\n" + oneSend, head + "steps:\n  - fault: {id: f, target: kubernetes, kind: watch-drop}\n" + oneSend},
	"fault-traffic":     {head + "steps:\n" + oneSend + "  - fault: {id: f, target: redis, kind: cut}\n", head + "steps:\n  - fault: {id: f, target: redis, kind: cut}\n" + oneSend},
	"heal":              {head + "steps:\n  - heal: f\n" + oneSend, head + "steps:\n  - fault: {id: f, target: redis, kind: cut}\n  - heal: f\n" + oneSend},
	"redis-needs":       {head + "steps:\n  - redis: {server: stop}\n" + oneSend, head + "needs: {redis: own}\nsteps:\n  - redis: {server: stop}\n" + oneSend},
	"api-server-needs":  {head + "steps:\n  - apiServer: stop\n" + oneSend, head + "needs: {apiServer: own}\nsteps:\n  - apiServer: stop\n" + oneSend},
	"replica":           {head + "steps:\n  - restart: {replica: 2}\n" + oneSend, head + "needs: {replicas: 2}\nsteps:\n  - restart: {replica: 2}\n" + oneSend},
	"credentials":       {head + "steps:\n  - renew: server\n" + oneSend, head + "needs: {https: true}\nsteps:\n  - renew: server\n" + oneSend},
	"possible":          {head + ownService + "steps:\n  - advance: 1s\n" + oneSend, head + ownService + "steps:\n  - restart: {}\n" + oneSend},
	"send":              {head + "steps:\n  - send: {id: a, slowly: {part: header, bytesPerSecond: 1}, answers: {201: 1}}\n", head + "steps:\n  - send: {id: a, slowly: {part: header, bytesPerSecond: 1}, answers: {none: 1}}\n"},
	"load":              {head + "steps:\n  - load: {id: l, rate: 5}\n", head + "steps:\n  - load: {id: l, rate: 5, count: 10}\n"},
	"expression":        {expects("rr.size() = 1"), expects("rr.size() == 1")},
	"variables":         {expects("it.spec.alertName == 'A'"), head + "steps:\n  - delete: {count: 1, where: \"it.spec.alertName == 'A'\"}\n"},
	"answers-of":        {expects("answers.onee.count == 1"), expects("answers.one.count == 1")},
	"faults-of":         {expects("faults.f.applied == 1"), head + "steps:\n  - fault: {id: f, target: redis, kind: cut}\n" + oneSend + "  - expect: {that: faults.f.applied == 1}\n"},
	"cannot-fail":       {expects("rr.size() >= 0"), expects("rr.size() >= 1")},
	"waits-for-nothing": {head + "steps:\n  - eventually: {within: 1s, that: 1 == 1}\n", head + "steps:\n  - eventually: {within: 1s, that: ns == 'a'}\n"},
	"empty-demand":      {head + "steps:\n  - send: {id: a, answers: {}}\n", head + "steps:\n  - send: {id: a}\n"},
	"no-check":          {head + "steps:\n  - advance: 1s\n", head + "steps:\n  - advance: 1s\n" + oneSend},
	"no-time":           {head + "steps:\n  - advance: 0s\n", head + "steps:\n  - advance: 1ms\n"},
	"timeout":           {head + "steps:\n  - eventually: {within: 60s, that: rr.size() == 1}\n", head + "timeout: 61s\nsteps:\n  - eventually: {within: 60s, that: rr.size() == 1}\n"},
	"unreachable":       {head + "steps:\n  - expect: {that: rr.size() < 0}\n" + oneSend, head + "steps:\n" + oneSend + "  - expect: {that: rr.size() < 0}\n"},
}

func expects(that string) string {
	return head + "steps:\n" + oneSend + "  - expect: {that: \"" + that + "\"}\n"
}

func twoFaults(first, second string) string {
	return "  - fault: {id: " + first + ", target: redis, kind: cut}\n  - fault: {id: " + second + ", target: kubernetes, kind: reset}\n" + oneSend
}

// TestEveryRuleRefusesAndTakes looks at one rule at a time, so that none can hide behind another.
func TestEveryRuleRefusesAndTakes(t *testing.T) {
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			tc, known := ruleCases[rule.Name]
			if !known {
				t.Fatal("no text shows that this rule refuses anything")
			}
			if got := saidBy(t, rule, map[string]string{"sto-99-x.yaml": tc.taken}); len(got) > 0 {
				t.Errorf("it refuses what is right: %v", got)
			}
			refused := map[string]string{"sto-99-x.yaml": tc.refused}
			switch rule.Name {
			case "file-name":
				refused = map[string]string{"storm.yaml": sound}
			case "unique-id":
				refused = map[string]string{"sto-99-x.yaml": sound, "sto-99-y.yaml": sound}
			}
			if got := saidBy(t, rule, refused); len(got) != 1 {
				t.Errorf("it says %v, want one problem", got)
			}
		})
	}
	if len(ruleCases) != len(Rules()) {
		t.Errorf("%d texts for %d rules", len(ruleCases), len(Rules()))
	}
}

// saidBy is what one rule says of files, which stand beside a service and a schema.
func saidBy(t *testing.T, rule Rule, files map[string]string) Problems {
	t.Helper()
	dir := folder(t, map[string]string{"schema.json": "{}", "service/main.go": "package main\n"})
	var list []*Scenario
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, writeIn(t, dir, name, files[name]))
	}
	return lintBy([]Rule{rule}, list, []string{"hold-ignored"})
}

// TestUnreachableLooksIntoSequences as the other rules do.
func TestUnreachableLooksIntoSequences(t *testing.T) {
	text := head + "steps:\n  - concurrently:\n      - sequence: [{expect: {that: rr.size() < 0}}, {advance: 1s}]\n      - advance: 1s\n" + oneSend
	problems := Lint([]*Scenario{write(t, "sto-99-x.yaml", text)}, nil)
	var fields []string
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	want := []string{"steps.0.concurrently.0.sequence.0.expect.that", "steps.1", "steps.0.concurrently.0.sequence.1"}
	if !slices.Equal(want, fields) {
		t.Errorf("got %v", problems)
	}
}
