package scenario

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/system"
)

// Reference is the language as Markdown: docs/reference.md. It is made from what the loader,
// lint and the run themselves use.
func Reference() ([]byte, error) {
	s, err := reflectSchema(&Scenario{}, SchemaID, "")
	if err != nil {
		return nil, err
	}
	f, err := reflectSchema(&Fragment{}, FragmentID, "")
	if err != nil {
		return nil, err
	}
	s.Definitions["Fragment"] = f.Definitions["Fragment"]
	r := &reference{types: s.Definitions, told: map[string]string{"Step": "steps", "Duration": ""}}
	r.line("# Reference of the scenario language\n\n<!-- written by make generate; change harness/scenario instead -->\n")
	r.line("TESTING.md teaches; this lists. Durations look like `500ms`, `2s` or `4m59s`. A field in **bold** must be there.\n")
	r.line("## The file\n")
	r.fields("Scenario", "the-file")
	r.line("## Steps\n\nEach item of `steps` has exactly one of these.\n")
	r.steps()
	r.line("## Parts\n")
	r.parts()
	r.line("## Fragments\n\nA file in a folder called `%s`, used by `use`. Ids are not renamed: a fragment that is used twice makes its ids from a parameter, and lint tells of two that clash.\n", FragmentsDir)
	r.fields("Fragment", "fragments")
	r.faults()
	r.expressions()
	r.rules()
	return append(bytes.TrimRight(r.Bytes(), "\n"), '\n'), nil
}

// reference is written type by type; told maps those that have a table to its heading.
type reference struct {
	bytes.Buffer
	types jsonschema.Definitions
	told  map[string]string
	queue []string
}

func (r *reference) line(format string, args ...any) { fmt.Fprintf(r, format+"\n", args...) }

// fields is the table of one type under a heading; types that it mentions get one later.
func (r *reference) fields(name, heading string) {
	r.told[name] = heading
	def := r.types[name]
	r.line("| field | type | default | what it says |\n|---|---|---|---|")
	for p := def.Properties.Oldest(); p != nil; p = p.Next() {
		field := "`" + p.Key + "`"
		if slices.Contains(def.Required, p.Key) {
			field = "**" + field + "**"
		}
		what, fallback := splitDefault(p.Value.Description)
		r.line("| %s | %s | %s | %s |", field, r.typeOf(p.Value), fallback, cell(what))
	}
	r.line("")
}

func (r *reference) steps() {
	step := r.types["Step"]
	for p := step.Properties.Oldest(); p != nil; p = p.Next() {
		what, _ := splitDefault(p.Value.Description)
		r.line("### `%s`\n\n%s\n", p.Key, what)
		name := refName(p.Value.Ref)
		heading, told := r.told[name]
		switch {
		case name == "" || name == "Duration":
			r.line("Its value is a %s.\n", r.typeOf(p.Value))
		case told:
			r.line("Its fields are those of [%s](#%s).\n", heading, heading)
		default:
			r.fields(name, p.Key)
		}
	}
}

// parts writes what was mentioned, in the order in which it was.
func (r *reference) parts() {
	for len(r.queue) > 0 {
		name := r.queue[0]
		r.queue = r.queue[1:]
		if _, told := r.told[name]; told {
			continue
		}
		r.line("### %s\n\n%s\n", name, r.types[name].Description)
		r.fields(name, strings.ToLower(name))
	}
}

// typeOf says in plain words what a value may be.
func (r *reference) typeOf(s *jsonschema.Schema) string {
	switch {
	case s.Ref == "#/$defs/Duration":
		return "duration"
	case s.Ref == "#/$defs/Step":
		return "step"
	case s.Ref != "":
		name := refName(s.Ref)
		r.queue = append(r.queue, name)
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	case len(s.Enum) > 0:
		var words []string
		for _, e := range s.Enum {
			words = append(words, fmt.Sprintf("`%v`", e))
		}
		return strings.Join(words, ", ")
	case s.Type == "array" && s.Items != nil:
		return "list of " + r.typeOf(s.Items)
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Type != "":
		return "text to " + r.typeOf(s.AdditionalProperties)
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Ref != "":
		return "text to " + r.typeOf(s.AdditionalProperties)
	}
	names := map[string]string{"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text", "object": "mapping", "": "any"}
	return names[s.Type] + bounds(s)
}

func bounds(s *jsonschema.Schema) string {
	low, high := string(s.Minimum), string(s.Maximum)
	switch {
	case low != "" && high != "":
		return ", " + low + " to " + high
	case low != "" && low != "0":
		return ", from " + low
	case high != "":
		return ", up to " + high
	default:
		return ""
	}
}

// splitDefault takes the sentence about the default out of a description.
func splitDefault(text string) (what, fallback string) {
	var rest []string
	for _, sentence := range strings.SplitAfter(text, ". ") {
		value, is := strings.CutPrefix(sentence, "Default")
		if !is {
			rest = append(rest, sentence)
			continue
		}
		fallback = cell(strings.TrimSuffix(strings.TrimSpace(strings.TrimPrefix(value, ":")), "."))
	}
	return strings.TrimSpace(strings.Join(rest, "")), fallback
}

// cell escapes what would end a table's cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func (r *reference) faults() {
	r.line("## Faults\n\nA receipt says planned, matched and applied; one that applied nothing is inconclusive.\n\n| target | kind | what it does | counted by | available with |\n|---|---|---|---|---|")
	for _, k := range fault.Registry() {
		r.line("| `%s` | `%s` | %s | %s | %s |", k.Target, k.Name, cell(k.Doc), k.CountedBy(), k.AvailableWith())
	}
	r.line("")
}

func (r *reference) expressions() {
	r.line("## Expressions\n\n[CEL](https://cel.dev) with its extensions for strings, lists, sets, math and two variables.\n\n%s", expressionsBlock())
	r.line("## Placeholders\n\nFilled in by the run; every other `{{name}}` is a parameter. Those from `dir` on are for the description of a system.\n\n| placeholder | is |\n|---|---|")
	r.line("| `{{i}}` | number of the alert, or of the request of send.json, from 1 |\n| `{{ns}}`, `{{ns2}}`, ... | the scenario's namespaces |\n| `{{secret.NAME}}` | a secret drawn from the seed; P9 fails when it is found in a log, an answer, a probe, metrics, Redis or, unless it was sent in an alert or a body, an object or Event |\n| `{{bcrypt.NAME}}`, `{{base64.NAME}}` | in files: a bcrypt hash of that secret, and its base64 |\n| `{{file.NAME}}` | the path of a file of `files`, or of a certificate; see needs.https |\n| `{{long.N}}` | a text of N letters |\n| `{{deep.N}}` | N JSON lists in each other, for `body` |\n| `{{labels.N}}` | N members of a JSON object, `\"l1\":\"x\",...`, for `body` |\n| `{{byte.ff}}` | one byte, in two hex digits, be it UTF-8 or not, for `body` |\n| `{{name}}` | in a scenario with cases: the name of the case |")
	for _, name := range sortedKeys(system.Placeholders) {
		if name != "ns" {
			r.line("| `{{%s}}` | %s |", name, cell(system.Placeholders[name]))
		}
	}
	r.line("| `{{offset}}` | in system.clock.path: how far the clock is ahead, for example 5m1s |\n")
}

func (r *reference) rules() {
	r.line("## What lint looks for\n\nBesides the form of the file (fields, types, values), where a problem names the nearest valid word. There are %d rules.\n\n%s", len(rules), lintBlock())
}
