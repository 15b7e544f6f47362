package report

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"
)

// SchemaID names the JSON Schema of report.json.
const SchemaID = "https://stormproof.dev/schema/report.v1.json"

// JSONSchema returns the JSON Schema (draft 2020-12) of report.json, made from Report. Fields
// may be added within a version, so unknown ones are allowed.
func JSONSchema() ([]byte, error) {
	reflector := jsonschema.Reflector{FieldNameTag: "json", AllowAdditionalProperties: true}
	s := reflector.Reflect(&Report{})
	s.ID, s.Title = SchemaID, "Stormproof report"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the report's schema: %w", err)
	}
	return append(b, '\n'), nil
}
