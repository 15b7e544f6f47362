package scenario

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write puts a scenario into a folder and loads it, as the linter meets it.
func write(t *testing.T, name, text string) *Scenario {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLintTellsWhatTheSchemaCannot(t *testing.T) {
	const checked = "  - expect: {that: \"true\"}\n"
	for name, tc := range map[string]struct {
		text                    string
		line                    int
		field, said, suggestion string
	}{
		"an expression that does not parse": {
			head + "steps:\n  - expect: {that: \"rr.size( == 1\"}\n", 6, "steps.0.expect.that", "Syntax error", "variables: answers"},
		"an expression with an unknown variable": {
			head + "steps:\n  - eventually: {within: 1s, that: \"rrs.size() == 1\"}\n", 6, "steps.0.eventually.that", "undeclared reference", "rr"},
		"an expression that is not true or false": {
			head + "steps:\n  - consistently: {for: 1s, that: \"1 + 1\"}\n", 6, "steps.0.consistently.that", "must yield true or false", ""},
		"a broken choice of objects": {
			head + "steps:\n" + checked + "  - delete: {count: 1, where: \"it.\"}\n", 7, "steps.1.delete.where", "Syntax error", ""},
		"an expression inside of concurrently": {
			head + "steps:\n  - concurrently:\n      - advance: 1s\n      - expect: {that: \"x\"}\n", 8, "steps.0.concurrently.1.expect.that", "undeclared reference", ""},
		"a kind of fault that does not exist": {
			head + "steps:\n  - fault: {id: f, target: redis, kind: latncy}\n" + checked, 6, "steps.0.fault", "did you mean latency?", ""},
		"a fault whose settings do not fit": {
			head + "steps:\n  - fault: {id: f, target: kubernetes, kind: status}\n" + checked, 6, "steps.0.fault", "code: 503", ""},
		"a fault id that is used twice": {
			head + "steps:\n  - fault: {id: f, target: redis, kind: cut}\n  - fault: {id: f, target: redis, kind: cut}\n" + checked,
			7, "steps.1.fault.id", "used twice", ""},
		"healing a fault that was never armed": {
			head + "steps:\n  - fault: {id: slow, target: redis, kind: cut}\n  - heal: slwo\n" + checked,
			7, "steps.1.heal", `no fault "slwo"`, `did you mean "slow"?`},
		"healing a fault before it is armed": {
			head + "steps:\n  - heal: slow\n  - fault: {id: slow, target: redis, kind: cut}\n" + checked, 6, "steps.0.heal", `no fault "slow"`, ""},
		"stopping a server that others use": {
			head + "steps:\n  - redis: {server: stop}\n" + checked, 6, "steps.0.redis.server", "other scenarios", "redis: own"},
		"a command to a server that others use": {
			head + "steps:\n  - redis: {command: [FLUSHALL]}\n" + checked, 6, "steps.0.redis.command", "other scenarios", "redis: own"},
		"a topology that others would share": {
			head + "needs: {topology: cluster}\nsteps:\n" + checked, 5, "needs.topology", "as the command line says", "redis: own"},
		"TLS that others would share": {
			head + "needs: {tls: true}\nsteps:\n" + checked, 5, "needs.tls", "as the command line says", "redis: own"},
		"a password that others would share": {
			head + "needs: {password: true}\nsteps:\n" + checked, 5, "needs.password", "as the command line says", "redis: own"},
		"refused connections that nothing can refuse": {
			head + "needs: {redis: own, topology: sentinel, redisDown: true}\nsteps:\n" + checked, 5, "needs.redisDown", "no proxy", "server: stop"},
		"a fault that reaches no node": {
			head + "needs: {redis: own, topology: cluster}\nsteps:\n  - fault: {id: f, target: redis, kind: cut}\n" + checked,
			7, "steps.0.fault.target", "no fault reaches these servers", "a redis step"},
		"a node of a single server": {
			head + "needs: {redis: own}\nsteps:\n  - redis: {server: stop, node: master}\n" + checked,
			7, "steps.0.redis.node", "no nodes to choose from", "topology: sentinel"},
		"a sentinel of a cluster": {
			head + "needs: {redis: own, topology: cluster}\nsteps:\n  - redis: {server: stop, node: sentinel}\n" + checked,
			7, "steps.0.redis.node", "cluster has no sentinels", "write master or replica"},
		"a node to which nothing is done": {
			head + "needs: {redis: own, topology: cluster}\nsteps:\n  - redis: {node: master}\n" + checked,
			7, "steps.0.redis.node", "nothing is done to it", "server: stop"},
		"a failover of a single server": {
			head + "needs: {redis: own, topology: standalone}\nsteps:\n  - redis: {failover: true}\n" + checked,
			7, "steps.0.redis.failover", "nothing to fail over to", "topology: sentinel"},
		"a slot of something else than a cluster": {
			head + "needs: {redis: own, topology: sentinel}\nsteps:\n  - redis: {moveSlotOf: k}\n" + checked,
			7, "steps.0.redis.moveSlotOf", "only a cluster has slots", "topology: cluster"},
		"nothing is checked": {
			head + "steps:\n  - send: {id: one, alerts: [{labels: {alertname: A}}]}\n", 5, "steps", "nothing is checked", "answers"},
		"a seeded bug that does not exist": {
			head + "kills: [hold-ignord]\nsteps:\n" + checked, 5, "kills.0", "no seeded bug", `did you mean "hold-ignored"?`},
		"an id of another category": {
			strings.Replace(sound, "category: storm", "category: crd", 1), 1, "id", "begin with CRD-", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := write(t, "sto-99-x.yaml", tc.text)
			problems := Lint([]*Scenario{s}, []string{"hold-ignored", "name-not-deterministic"})
			if len(problems) != 1 {
				t.Fatalf("got %d problems, want 1:\n%v", len(problems), problems)
			}
			p := problems[0]
			if p.File != s.File || p.Line != tc.line || p.Field != tc.field {
				t.Errorf("at line %d in %q, want %d in %q; %v", p.Line, p.Field, tc.line, tc.field, p)
			}
			if !strings.Contains(p.Message, tc.said) || !strings.Contains(p.Suggestion, tc.suggestion) {
				t.Errorf("said %q, want %q and %q", p, tc.said, tc.suggestion)
			}
		})
	}
}

func TestLintAcceptsWhatIsRight(t *testing.T) {
	for name, text := range map[string]string{
		"answers count as a check":  sound,
		"verdicts count as a check": strings.Replace(sound, `answers: {"201": 1}`, "verdicts: {created: 1}", 1),
		"a check inside of concurrently counts": head +
			"steps:\n  - concurrently: [{advance: 1s}, {expect: {that: rr.size() == 0}}]\n",
		"an armed fault can be healed": head +
			"steps:\n  - fault: {id: f, target: redis, kind: cut}\n  - heal: f\n  - expect: {that: faults.f.applied > 0}\n",
		"redis-down can be healed where it is needed": head +
			"needs: {redisDown: true}\nsteps:\n  - heal: redis-down\n  - expect: {that: ready.status == 200}\n",
		"an own server can be stopped": head +
			"needs: {redis: own}\nsteps:\n  - redis: {server: stop}\n  - expect: {that: ready.status == 503}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if problems := Lint([]*Scenario{write(t, "sto-99-x.yaml", text)}, nil); len(problems) > 0 {
				t.Error(problems)
			}
		})
	}
}

func TestAnIDIsUniqueOverTheCatalogueAndBeginsTheFilesName(t *testing.T) {
	first, second := write(t, "sto-99-a.yaml", sound), write(t, "sto-99-b.yaml", sound)
	problems := Lint([]*Scenario{first, second}, nil)
	if len(problems) != 1 || problems[0].File != second.File || !strings.Contains(problems[0].Message, "taken by "+first.File) {
		t.Errorf("got %v, want the second file told of the first", problems)
	}
	problems = Lint([]*Scenario{write(t, "storm.yaml", sound)}, nil)
	if len(problems) != 1 || problems[0].Field != "id" || !strings.Contains(problems[0].Suggestion, "rename it to sto-99-") {
		t.Errorf("got %v, want a new name for the file", problems)
	}
}

func TestNewWritesAScenarioThatLints(t *testing.T) {
	for _, c := range Categories {
		t.Run(c.Name, func(t *testing.T) {
			dir, id := t.TempDir(), c.Prefix+"-98"
			path, err := New(dir, id, "Ünusual: a title, with marks")
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(dir, c.Name, strings.ToLower(id)+"-nusual-a-title-with-marks.yaml"); path != want {
				t.Errorf("wrote %s, want %s", path, want)
			}
			s, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if problems := Lint([]*Scenario{s}, nil); len(problems) > 0 {
				t.Error(problems)
			}
		})
	}
}

func TestNewTakesAnyTitleThatAPersonTypes(t *testing.T) {
	for name, title := range map[string]string{
		"with a colon":      "storms: ten at once",
		"with a comment":    "the #1 of all bugs # really",
		"that begins a map": "{not a map}",
		"like a truth":      "true story",
		"with both quotes":  `it's a "quoted" one`,
		"of a number":       "12345",
	} {
		t.Run(name, func(t *testing.T) {
			path, err := New(t.TempDir(), "STO-98", title)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := Load(path); err != nil || s.Title != title {
				t.Errorf("got %+v, %v; want the title %q", s, err, title)
			}
		})
	}
}

func TestNewRefusesWhatWouldNotLoadAndWritesNothing(t *testing.T) {
	for name, tc := range map[string]struct{ id, title, said string }{
		"an id without a number": {"STO-x", "a good title", ": id: "},
		"a title that is empty":  {"STO-98", "", ": title: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := New(dir, tc.id, tc.title); err == nil || !strings.Contains(err.Error(), tc.said) {
				t.Errorf("got %v, want %q told", err, tc.said)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left behind %v, %v", left, err)
			}
		})
	}
}

func TestNewNeitherReplacesAFileNorInventsACategory(t *testing.T) {
	dir := t.TempDir()
	path, err := New(dir, "STO-98", "twice")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(dir, "STO-98", "twice"); err == nil {
		t.Error("a second New replaced the file")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if _, err := New(dir, "XYZ-01", "what is this"); err == nil || !strings.Contains(err.Error(), "STO-.. (storm)") {
		t.Errorf("got %v, want the list of categories", err)
	}
}

func TestTheCommittedSchemaIsTheOneThatTheTypesMake(t *testing.T) {
	want, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("scenario.v1.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Error("scenario.v1.json is not what the types make; type: make generate")
	}
}

// TestTheWholeCatalogueLints is also what keeps `kills:` and the seeded bugs together.
func TestTheWholeCatalogueLints(t *testing.T) {
	files, err := Files("../../scenarios")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found %d scenarios, want the catalogue", len(files))
	}
	var all []*Scenario
	for _, file := range files {
		s, err := Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := filepath.Base(filepath.Dir(file)); got != s.Category {
			t.Errorf("%s is of category %s, but in the folder %s", s.ID, s.Category, got)
		}
		all = append(all, s)
	}
	mutants, err := filepath.Glob("../../fixtures/mutants/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range mutants {
		mutants[i] = strings.TrimSuffix(filepath.Base(m), ".yaml")
	}
	if problems := Lint(all, mutants); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestFilesFindsYAMLInFoldersAndTakesFilesAsTheyAre(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.yaml", "sub/a.yml", "notes.md"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Files(dir, filepath.Join(dir, "notes.md"))
	want := []string{filepath.Join(dir, "b.yaml"), filepath.Join(dir, "notes.md"), filepath.Join(dir, "sub", "a.yml")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if _, err := Files(filepath.Join(dir, "absent")); err == nil {
		t.Error("a path that is not there must be told")
	}
}
