package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/stormproof/stormproof/harness/scenario/expr"
)

// Blocks are the tables of TESTING.md that are made from the language, by the names of their
// blocks: what Reference says at length, on one page.
func Blocks() (map[string]string, error) {
	s, err := reflectSchema(&Scenario{}, SchemaID, "")
	if err != nil {
		return nil, err
	}
	return map[string]string{"steps": stepsBlock(s.Definitions), "expressions": expressionsBlock(), "lint": lintBlock()}, nil
}

// stepsBlock has a row for each step, with the names of its fields.
func stepsBlock(types jsonschema.Definitions) string {
	var b strings.Builder
	b.WriteString("| step | does | fields |\n|---|---|---|\n")
	for p := types["Step"].Properties.Oldest(); p != nil; p = p.Next() {
		what, _ := splitDefault(p.Value.Description)
		fmt.Fprintf(&b, "| [`%s`](docs/reference.md#%s) | %s | %s |\n", p.Key, p.Key, cell(what), fieldNames(types, p.Value))
	}
	return b.String()
}

// fieldNames are the fields of a step's type, those that must be there in bold.
func fieldNames(types jsonschema.Definitions, s *jsonschema.Schema) string {
	def := types[refName(s.Ref)]
	switch {
	case s.Ref == "#/$defs/Duration":
		return "a duration"
	case s.Type == "array":
		return "a list of steps"
	case def == nil:
		return "a text"
	}
	var names []string
	for p := def.Properties.Oldest(); p != nil; p = p.Next() {
		name := "`" + p.Key + "`"
		if slices.Contains(def.Required, p.Key) {
			name = "**" + name + "**"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func expressionsBlock() string {
	var b strings.Builder
	b.WriteString("| variable | holds |\n|---|---|\n")
	for _, name := range sortedKeys(expr.Variables) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, cell(expr.Variables[name]))
	}
	return b.String()
}

func lintBlock() string {
	var b strings.Builder
	b.WriteString("| rule | what must hold |\n|---|---|\n")
	for _, rule := range rules {
		fmt.Fprintf(&b, "| %s | %s |\n", rule.Name, cell(rule.Doc))
	}
	return b.String()
}
