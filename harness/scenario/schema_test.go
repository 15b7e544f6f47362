package scenario

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stormproof/stormproof/harness/internal/docblock"
)

func TestTheCommittedSchemasAreWhatTheTypesMake(t *testing.T) {
	for file, make := range map[string]func() ([]byte, error){"scenario.v1.json": Schema, "fragment.v1.json": FragmentSchema} {
		want, err := make()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s is not what the types make; type: make generate", file)
		}
	}
}

func TestTheCommittedReferenceIsWhatTheLanguageMakes(t *testing.T) {
	want, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Error("docs/reference.md is stale; type: make generate")
	}
}

// TestTheReferenceInTESTINGIsWhatTheLanguageMakes: UPDATE_GOLDEN=1 writes it there.
func TestTheReferenceInTESTINGIsWhatTheLanguageMakes(t *testing.T) {
	blocks, err := Blocks()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range blocks {
		docblock.Compare(t, "../../TESTING.md", name, want)
	}
}

// TestLinksOfTheReferenceLeadSomewhere holds every link against the headings.
func TestLinksOfTheReferenceLeadSomewhere(t *testing.T) {
	b, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^#+ (.+)$").FindAllStringSubmatch(string(b), -1) {
		headings[strings.ReplaceAll(strings.ToLower(strings.Trim(m[1], "`")), " ", "-")] = true
	}
	links := regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(string(b), -1)
	for _, m := range links {
		if !headings[m[1]] {
			t.Errorf("no heading is called %s", m[1])
		}
	}
	if len(links) < 10 {
		t.Errorf("found %d links, want those to the parts", len(links))
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	for _, root := range []any{&Scenario{}, &Fragment{}} {
		s, err := reflectSchema(root, SchemaID, "")
		if err != nil {
			t.Fatal(err)
		}
		for name, def := range s.Definitions {
			if def.Description == "" {
				t.Errorf("type %s has no description", name)
			}
			for p := def.Properties.Oldest(); p != nil; p = p.Next() {
				if p.Value.Description == "" {
					t.Errorf("%s.%s has no description", name, p.Key)
				}
			}
		}
	}
}

// TestEditorsTakeWhatTheLoaderTakes validates the catalogue, unexpanded, as an editor does.
func TestEditorsTakeWhatTheLoaderTakes(t *testing.T) {
	schema := published(t, Schema, SchemaID)
	fragment := published(t, FragmentSchema, FragmentID)
	files, err := Files("../../scenarios", "../../examples/minimal", "../../examples/alertmanager")
	if err != nil {
		t.Fatal(err)
	}
	check := func(schema *validator.Schema, file string) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := yaml.Unmarshal(b, &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, file := range files {
		s, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		check(schema, file)
		for _, used := range s.Sources[1:] {
			check(fragment, used)
		}
	}
}

func published(t *testing.T, make func() ([]byte, error), id string) *validator.Schema {
	t.Helper()
	b, err := make()
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestScenariosNameTheirSchema: an editor completes only in files that do; that the path
// leads somewhere, lint says.
func TestScenariosNameTheirSchema(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../scenarios/*/*-[0-9]*.yaml", "../../examples/*/*-[0-9]*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Fatal("no scenarios found")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte("# yaml-language-server: $schema=")) {
			t.Errorf("%s: the first line names no schema, as `stormproof new` writes it", file)
		}
	}
}
