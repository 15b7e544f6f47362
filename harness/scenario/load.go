package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Files returns the scenario files among the given files and folders, sorted. A folder's
// SystemFile is none, and neither is what lies in a folder called FragmentsDir.
func Files(paths ...string) ([]string, error) {
	var out []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("finding scenarios: %w", err)
		}
		if !info.IsDir() {
			out = append(out, p)
			continue
		}
		err = filepath.WalkDir(p, func(path string, d os.DirEntry, err error) error {
			switch {
			case err == nil && d.IsDir() && d.Name() == FragmentsDir:
				return filepath.SkipDir
			case err == nil && !d.IsDir() && isYAML(path) && d.Name() != SystemFile:
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("finding scenarios in %s: %w", p, err)
		}
	}
	sort.Strings(out)
	return out, nil
}

// Load reads one scenario file. The error is of type Problems when the file is at fault.
func Load(path string) (*Scenario, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading scenario: %w", err)
	}
	return Parse(path, b)
}

// Parse reads a scenario from bytes; name stands in messages, and fragments are looked for
// beside it. With cases, the scenario is that of the first one, and Variants are all.
func Parse(name string, b []byte) (*Scenario, error) {
	src, value, err := parseSource(name, b, "scenario")
	if err != nil {
		return nil, err
	}
	if looksLikeFragment(value) {
		return nil, Problems{{File: name, Line: 1, Col: 1, Message: "this is a fragment, not a scenario",
			Suggestion: "name a scenario that uses it, or keep it in a folder called " + FragmentsDir}}
	}
	x := newExpander(src)
	variants := x.variants(value)
	var list []*Scenario
	for _, v := range variants {
		s, err := x.decode(v)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if len(x.problems) > 0 {
		sortProblems(x.problems)
		return nil, x.problems
	}
	first := list[0]
	if first.Case != "" {
		first.variants = list
	}
	first.unused, first.Sources = x.unused, append([]string{name}, x.all...)
	return first, nil
}

// decode validates one variant and reads it into the types. Problems stay in the expander.
func (x *expander) decode(v variant) (*Scenario, error) {
	schema, err := compiledSchema()
	if err != nil {
		return nil, err
	}
	if err := schema.Validate(v.value); err != nil {
		var invalid *jsonschema.ValidationError
		if !errors.As(err, &invalid) {
			return nil, fmt.Errorf("validating %s: %w", x.root.src.name, err)
		}
		for _, p := range schemaProblems(v.places, invalid) {
			// A placeholder that could not be filled in is told already.
			told := func(q Problem) bool { return q.File == p.File && q.Line == p.Line && q.Col == p.Col }
			if !slices.ContainsFunc(x.problems, told) {
				x.refuse(p)
			}
		}
		return nil, nil
	}
	top := v.value.(map[string]any)
	x.checkRuntime(top, nil, top, v.places)
	if len(x.problems) > 0 {
		return nil, nil
	}
	s := &Scenario{File: x.root.src.name, Case: v.name, places: v.places}
	if err := decodeValue(v.value, s); err != nil {
		return nil, Problems{x.root.problem(oneLine(err), "see docs/reference.md for what each field may be")}
	}
	return s, s.resolveSystem()
}

// decodeValue reads a plain value into a type. JSON is YAML, and has one spelling for each value.
func decodeValue(value, into any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	return yaml.UnmarshalWithOptions(b.Bytes(), into, yaml.Strict())
}

// looksLikeFragment recognises a file that has nothing but what a fragment has.
func looksLikeFragment(value any) bool {
	top, ok := value.(map[string]any)
	if !ok || top["steps"] == nil {
		return false
	}
	for key := range top {
		if key != "params" && key != "steps" {
			return false
		}
	}
	return true
}

var compiledSchema = sync.OnceValues(func() (*jsonschema.Schema, error) { return compileSchema("") })

// compileSchema compiles the schema, or the part of it at a fragment such as #/$defs/System.
func compileSchema(fragment string) (*jsonschema.Schema, error) {
	strict, err := reflectSchema(&Scenario{}, SchemaID, "Stormproof scenario")
	if err != nil {
		return nil, err
	}
	b, err := encode(strict)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("reading the scenario schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaID, doc); err != nil {
		return nil, fmt.Errorf("adding the scenario schema: %w", err)
	}
	schema, err := c.Compile(SchemaID + fragment)
	if err != nil {
		return nil, fmt.Errorf("compiling the scenario schema: %w", err)
	}
	return schema, nil
}

// schemaProblems turns the leaves of a validation error into problems with positions.
func schemaProblems(ps *places, err *jsonschema.ValidationError) Problems {
	var out Problems
	var walk func(e, parent *jsonschema.ValidationError)
	walk = func(e, parent *jsonschema.ValidationError) {
		for _, c := range e.Causes {
			walk(c, e)
		}
		if len(e.Causes) == 0 && !isTypo(e, parent) {
			out = append(out, leafProblems(ps, e)...)
		}
	}
	walk(err, err)
	sortProblems(out)
	return out
}
