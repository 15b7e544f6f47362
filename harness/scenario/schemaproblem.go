package scenario

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/stormproof/stormproof/harness/internal/nearest"
)

var printer = message.NewPrinter(language.English)

// leafProblems tells one violation of the schema to an author who has never seen it.
func leafProblems(ps *places, e *jsonschema.ValidationError) Problems {
	at := ps.find(e.InstanceLocation)
	field := ""
	if n := len(e.InstanceLocation); n > 0 {
		field = e.InstanceLocation[n-1]
	}
	one := func(message, suggestion string) Problems { return Problems{at.problem(message, suggestion)} }
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var out Problems
		for _, prop := range k.Properties {
			if strings.ContainsAny(prop, " ()=<>'\"") {
				p := at.at(prop).problem(fmt.Sprintf("%q is read as a field of its own", prop), "put the whole text in quotes: inside of { } a comma ends it")
				p.Field = strings.Join(at.path, ".")
				out = append(out, p)
				continue
			}
			out = append(out, at.at(prop).problem(fmt.Sprintf("there is no field %q here", prop), nearest.Hint(prop, fieldsAt(e.SchemaURL))))
		}
		return out
	case *kind.Required:
		return one("missing "+strings.Join(k.Missing, ", "), "add "+strings.Join(examplesOf(e.SchemaURL, k.Missing), ", "))
	case *kind.Enum:
		var want []string
		for _, w := range k.Want {
			want = append(want, fmt.Sprint(w))
		}
		suggestion := "write one of " + strings.Join(want, ", ")
		if near := nearest.Word(fmt.Sprint(k.Got), want); near != "" {
			suggestion = fmt.Sprintf("did you mean %q?", near)
		}
		return one(fmt.Sprintf("%v is not one of %s", k.Got, strings.Join(want, ", ")), suggestion)
	case *kind.Pattern:
		return one(patternMessage(k.Got, k.Want))
	case *kind.MaxProperties, *kind.MinProperties:
		_, none := k.(*kind.MinProperties)
		switch isStep := slices.Contains(fieldsAt(e.SchemaURL), "send"); {
		case isStep && none:
			return one("the step is empty", "write for example - restart: {}")
		case isStep:
			return one("a step does exactly one thing", "start a new list item (-) for each of its fields")
		}
		return one("exactly one of its fields must be set", "write one of "+strings.Join(fieldsAt(e.SchemaURL), ", "))
	case *kind.Type:
		return one(typeMessage(k, e, field))
	case *kind.MinItems:
		return one(fmt.Sprintf("the list has %s", items(k.Got)), fmt.Sprintf("write at least %d", k.Want))
	case *kind.MinLength:
		return one(fmt.Sprintf("a text of %d characters is too short", k.Got), fmt.Sprintf("write at least %d", k.Want))
	case *kind.Minimum:
		return one(fmt.Sprintf("%s is too small", rational(k.Got)), "write at least "+rational(k.Want))
	case *kind.ExclusiveMinimum:
		return one(fmt.Sprintf("%s is too small", rational(k.Got)), "write more than "+rational(k.Want))
	case *kind.Maximum:
		return one(fmt.Sprintf("%s is too large", rational(k.Got)), "write at most "+rational(k.Want))
	default:
		return one(e.ErrorKind.LocalizedString(printer), "see docs/reference.md for what "+field+" may be")
	}
}

func items(n int) string {
	switch n {
	case 0:
		return "no items"
	case 1:
		return "one item only"
	default:
		return fmt.Sprintf("%d items only", n)
	}
}

func rational(r interface{ RatString() string }) string { return r.RatString() }

func patternMessage(got, want string) (what, instead string) {
	switch want {
	case durationPattern:
		return fmt.Sprintf("%q is not a duration", got), "write for example 500ms, 2s or 4m59s"
	case idPattern:
		return fmt.Sprintf("%q is not an id", got), "write the category's prefix and a number, for example STO-31"
	case promisePattern:
		return fmt.Sprintf("%q is not a promise", got), "write P1 to P9; README.md lists them"
	case namePattern:
		return fmt.Sprintf("%q is not a name", got), "use small letters, digits and dashes, a letter first"
	case pathPattern:
		return fmt.Sprintf("%q is not a path", got), "begin it with a slash"
	default:
		return fmt.Sprintf("%q does not have the form %s", got, want), "write what the form allows"
	}
}

// typeMessage says what a value is and what it must be.
func typeMessage(k *kind.Type, e *jsonschema.ValidationError, field string) (what, instead string) {
	names := map[string]string{"object": "a mapping", "array": "a list", "string": "a text", "integer": "a whole number",
		"number": "a number", "boolean": "true or false", "null": "empty"}
	var want []string
	for _, t := range k.Want {
		want = append(want, names[t])
	}
	what = fmt.Sprintf("this is %s, and must be %s", names[k.Got], strings.Join(want, " or "))
	def := schemaAt(e.SchemaURL)
	switch first := k.Want[0]; {
	case strings.HasSuffix(e.SchemaURL, "/Duration"):
		return fmt.Sprintf("this is %s, and must be a duration", names[k.Got]), "write a number with its unit, for example 500ms, 2s or 4m59s"
	case strings.HasSuffix(e.SchemaURL, "/Step"):
		return "a step is a mapping with one field", "write for example - restart: {}"
	case def != nil && len(def.Examples) > 0:
		return what, fmt.Sprintf("write for example %s: %v", field, def.Examples[0])
	case first == "string" && k.Got != "object" && k.Got != "array":
		return what, "put it in quotes"
	default:
		return what, "write " + map[string]string{"object": "{...}, or keys on lines below", "array": "[...], or one item a line, each behind a dash", "string": "a text",
			"integer": "a number, for example 10", "number": "a number, for example 1.5", "boolean": "true, without quotes"}[first]
	}
}

// isTypo says that a missing field is there, but misspelt: that is told for the field.
func isTypo(e, parent *jsonschema.ValidationError) bool {
	required, ok := e.ErrorKind.(*kind.Required)
	if !ok {
		return false
	}
	for _, sibling := range parent.Causes {
		if extra, is := sibling.ErrorKind.(*kind.AdditionalProperties); is && slices.Equal(sibling.InstanceLocation, e.InstanceLocation) {
			for _, prop := range extra.Properties {
				required.Missing = slices.DeleteFunc(slices.Clone(required.Missing), func(m string) bool { return nearest.Word(prop, fieldsAt(e.SchemaURL)) == m })
			}
		}
	}
	return len(required.Missing) == 0
}

// fieldsAt lists the fields that the schema allows at a location of itself.
func fieldsAt(schemaURL string) []string {
	if def := schemaAt(schemaURL); def != nil {
		return sortedKeys(def.Properties)
	}
	return nil
}

// examplesOf are missing fields as they could be typed.
func examplesOf(schemaURL string, fields []string) []string {
	def := schemaAt(schemaURL)
	var out []string
	for _, f := range fields {
		example := "..."
		if def != nil && def.Properties[f] != nil {
			example = exampleOf(def.Properties[f])
		}
		out = append(out, f+": "+example)
	}
	return out
}

func exampleOf(s *jsonschema.Schema) string {
	for s.Ref != nil && len(s.Examples) == 0 {
		s = s.Ref
	}
	switch {
	case len(s.Examples) > 0:
		return fmt.Sprint(s.Examples[0])
	case s.Types != nil && slices.Contains(s.Types.ToStrings(), "array"):
		return "[...]"
	default:
		return "..."
	}
}

// schemaAt finds the schema that a validation error names.
func schemaAt(schemaURL string) *jsonschema.Schema {
	schema, err := compiledSchema()
	if err != nil {
		return nil
	}
	u, err := url.Parse(schemaURL)
	if err != nil {
		return nil
	}
	name, ok := strings.CutPrefix(u.Fragment, "/$defs/")
	if !ok {
		return schema
	}
	name, field, _ := strings.Cut(name, "/properties/")
	def := findDefinition(schema.Ref, name, map[string]bool{})
	if def == nil || field == "" {
		return def
	}
	return def.Properties[field]
}
