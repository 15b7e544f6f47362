package scenario

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write puts a scenario into a folder and loads it, as the linter meets it.
func write(t *testing.T, name, text string) *Scenario {
	t.Helper()
	return writeIn(t, t.TempDir(), name, text)
}

func writeIn(t *testing.T, dir, name, text string) *Scenario {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLintAcceptsWhatIsRight(t *testing.T) {
	for name, text := range map[string]string{
		"answers count as a check":  sound,
		"verdicts count as a check": strings.Replace(sound, `answers: {"201": 1}`, "verdicts: {created: 1}", 1),
		"a check inside of concurrently counts": head +
			"steps:\n  - concurrently: [{advance: 1s}, {expect: {that: rr.size() == 0}}]\n",
		"an armed fault can be healed": head +
			"steps:\n  - fault: {id: f, target: redis, kind: cut}\n  - advance: 1s\n  - heal: f\n  - expect: {that: faults.f.applied > 0}\n",
		"redis-down can be healed where it is needed": head +
			"needs: {redisDown: true}\nsteps:\n  - heal: redis-down\n  - expect: {that: ready.status == 200}\n",
		"a fault meets what runs at the same time": head +
			"steps:\n  - concurrently:\n      - fault: {id: f, target: redis, kind: cut}\n      - send: {id: a, answers: {201: 1}}\n",
		"a fault meets the probes": head +
			"steps:\n  - fault: {id: f, target: redis, kind: cut}\n  - expect: {that: ready.status == 503}\n  - heal: f\n",
		"a fault meets what a wait waits for": head +
			"steps:\n  - fault: {id: f, target: kubernetes, kind: watch-drop}\n  - eventually: {within: 1s, that: faults.f.applied == 1}\n",
		"answers of a step at the same time can be awaited": head +
			"steps:\n  - concurrently:\n      - eventually: {within: 1s, that: answers.a.count == 1}\n      - send: {id: a, answers: {201: 1}}\n",
		"what comes in a sequence comes before": head +
			"steps:\n  - concurrently:\n      - sequence:\n          - send: {id: a, answers: {201: 1}}\n          - expect: {that: answers.a.count == 1}\n      - advance: 1s\n",
		"it is known inside of where": head +
			"steps:\n  - delete: {count: 1, where: \"it.spec.alertName == 'A'\"}\n  - expect: {that: \"rr.all(it, it.spec.alertName == 'A')\"}\n",
		"long steps fit into a long timeout": head +
			"timeout: 3m\nsteps:\n  - consistently: {for: 70s, that: rr.size() == 0}\n  - consistently: {for: 70s, that: rr.size() == 0}\n",
		"what a macro calls its own is no variable": head +
			"steps:\n  - expect: {that: 'metrics.all(faults, faults != \"x\") && rr.size() == 1'}\n",
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

func TestNewWithoutAnIDTakesTheNextOne(t *testing.T) {
	dir := folder(t, map[string]string{"storm/sto-01-a.yaml": "", "storm/STO-117-b.yaml": "", "storm/sto-200.yaml/x.txt": "", "crd/crd-300-c.yaml": ""})
	id, err := NextID(dir)
	if err != nil || id != "STO-118" {
		t.Errorf("next is %s, %v; want STO-118", id, err)
	}
	if id, err := NextID(filepath.Join(dir, "absent")); err != nil || id != "STO-01" {
		t.Errorf("first is %s, %v; want STO-01", id, err)
	}
}

func TestTheSchemaLineOfANewScenarioLeadsToASchemaInAnyRepository(t *testing.T) {
	own := folder(t, map[string]string{"harness/scenario/scenario.v1.json": "{}"})
	for name, tc := range map[string]struct{ dir, want string }{
		"this repository":         {filepath.Join(own, "scenarios"), "../../harness/scenario/scenario.v1.json"},
		"deeper in it":            {filepath.Join(own, "a", "b"), "../../../harness/scenario/scenario.v1.json"},
		"somebody's, a catalogue": {filepath.Join(t.TempDir(), "tests"), "../.schema/scenario.v1.json"},
	} {
		t.Run(name, func(t *testing.T) {
			path, err := New(tc.dir, "STO-98", NewTitle)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(b), "\n")
			if got := strings.TrimPrefix(first, schemaMark); got != tc.want {
				t.Errorf("the first line leads to %q, want %q", got, tc.want)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), tc.want)); err != nil {
				t.Error(err)
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
