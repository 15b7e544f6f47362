package scenario

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

// Names of version 1 of the language.
const (
	SchemaID   = "https://stormproof.dev/schema/scenario.v1.json"
	FragmentID = "https://stormproof.dev/schema/fragment.v1.json"
)

// Schema returns the JSON Schema (draft 2020-12) of a scenario file as an author writes it,
// for editors: where a number, a duration or a word of a list stands, a parameter may stand,
// too. It is made from the types of this package, as is the schema of the loader, which
// looks at a file after parameters were filled in; so the two can never disagree.
func Schema() ([]byte, error) { return publish(&Scenario{}, SchemaID, "Stormproof scenario") }

// FragmentSchema is the same of a file of steps that scenarios share.
func FragmentSchema() ([]byte, error) {
	return publish(&Fragment{}, FragmentID, "Steps that Stormproof scenarios share")
}

func publish(root any, id, title string) ([]byte, error) {
	s, err := reflectSchema(root, id, title)
	if err != nil {
		return nil, err
	}
	for _, def := range s.Definitions {
		for p := def.Properties.Oldest(); p != nil; p = p.Next() {
			if p.Key != "params" && p.Key != "cases" { // where parameters come from
				allowParameter(p.Value)
			}
		}
	}
	return encode(s)
}

func encode(s *jsonschema.Schema) ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the scenario schema: %w", err)
	}
	return append(b, '\n'), nil
}

// reflectSchema makes the schema of what a file is after parameters were filled in.
func reflectSchema(root any, id, title string) (*jsonschema.Schema, error) {
	r := jsonschema.Reflector{FieldNameTag: "json"}
	s := r.Reflect(root)
	s.ID, s.Title = jsonschema.ID(id), title
	one := uint64(1)
	for _, name := range []string{"Step", "Alertmanager", "As"} {
		def, ok := s.Definitions[name]
		if !ok {
			return nil, fmt.Errorf("generating the scenario schema: no definition %s", name)
		}
		def.MinProperties, def.MaxProperties = &one, &one
	}
	for _, list := range []struct{ def, field, pattern string }{
		{"Scenario", "sinks", namePattern}, {"Scenario", "promises", promisePattern}, {"System", "promises", promisePattern}} {
		if def, ok := s.Definitions[list.def]; ok {
			def.Properties.Value(list.field).Items = &jsonschema.Schema{Type: "string", Pattern: list.pattern}
		}
	}
	describe(s)
	return s, nil
}

// parameterPattern is a text that is one placeholder.
const parameterPattern = `^\{\{ *[A-Za-z][A-Za-z0-9]* *\}\}$`

// allowParameter lets "{{n}}" stand where the value that it will be replaced by may stand: all
// that is no text already, but steps.
func allowParameter(s *jsonschema.Schema) {
	switch {
	case s.AdditionalProperties != nil:
		allowParameter(s.AdditionalProperties)
	case s.Items != nil:
		allowParameter(s.Items)
	}
	steps := s.Ref == "#/$defs/Step" || s.Items != nil && s.Items.Ref == "#/$defs/Step"
	text := s.Type == "string" && s.Pattern == "" && len(s.Enum) == 0
	if anything := s.Type == "" && s.Ref == ""; steps || text || anything {
		return
	}
	value := *s
	value.Description, value.Examples, value.Default = "", nil, nil
	*s = jsonschema.Schema{Description: s.Description, Examples: s.Examples, Default: s.Default,
		AnyOf: []*jsonschema.Schema{&value, {Type: "string", Pattern: parameterPattern}}}
}
