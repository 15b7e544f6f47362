package scenario

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

// SchemaID names version 1 of the language.
const SchemaID = "https://stormproof.dev/schema/scenario.v1.json"

// Schema returns the JSON Schema (draft 2020-12) of a scenario file, made from the types
// of this package, so that editors, lint and the loader can never disagree.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{FieldNameTag: "json"}
	s := r.Reflect(&Scenario{})
	s.ID = SchemaID
	s.Title = "Stormproof scenario"
	one := uint64(1)
	for _, name := range []string{"Step", "Alertmanager"} {
		def, ok := s.Definitions[name]
		if !ok {
			return nil, fmt.Errorf("generating the scenario schema: no definition %s", name)
		}
		def.MinProperties, def.MaxProperties = &one, &one
	}
	s.Definitions["Scenario"].Properties.Value("sinks").Items = &jsonschema.Schema{Type: "string", Pattern: namePattern}
	s.Definitions["System"].Properties.Value("promises").Items = &jsonschema.Schema{Type: "string", Pattern: promisePattern}
	promises := s.Definitions["Scenario"].Properties.Value("promises")
	promises.Items = &jsonschema.Schema{Type: "string", Pattern: promisePattern}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the scenario schema: %w", err)
	}
	return append(b, '\n'), nil
}
