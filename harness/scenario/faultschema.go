package scenario

import (
	"slices"

	"github.com/invopop/jsonschema"

	"github.com/stormproof/stormproof/harness/fault"
)

// JSONSchemaExtend lists the targets and kinds of package fault, so that an editor
// completes them and nothing has to be kept in step by hand.
func (Fault) JSONSchemaExtend(s *jsonschema.Schema) {
	enum := func(field string, names []string) {
		if property, ok := s.Properties.Get(field); ok {
			for _, n := range names {
				property.Enum = append(property.Enum, n)
			}
		}
	}
	var kinds []string
	doc := "What breaks."
	for _, k := range fault.Registry() {
		kinds = append(kinds, k.Name)
		doc += " " + k.Target + " " + k.Name + ": " + k.Doc + "."
	}
	slices.Sort(kinds)
	enum("target", fault.Targets())
	enum("kind", slices.Compact(kinds))
	if property, ok := s.Properties.Get("kind"); ok {
		property.Description = doc
	}
}
