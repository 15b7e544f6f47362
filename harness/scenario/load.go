package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Problem is one thing wrong with a scenario file, told so that its author can mend it.
type Problem struct {
	File       string
	Line, Col  int
	Field      string
	Message    string
	Suggestion string
}

// Error prints file:line:column, field, message and suggestion on one line.
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Col)
	if p.Field != "" {
		s += p.Field + ": "
	}
	s += p.Message
	if p.Suggestion != "" {
		s += "; " + p.Suggestion
	}
	return s
}

// Problems is all that is wrong with one or more files.
type Problems []Problem

// Error prints one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Files returns the scenario files among the given files and folders, sorted. A folder's
// SystemFile is none.
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
			if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")) && d.Name() != SystemFile {
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

// Parse reads a scenario from bytes; name stands in messages.
func Parse(name string, b []byte) (*Scenario, error) {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, Problems{syntaxProblem(name, err)}
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, Problems{{File: name, Line: 1, Col: 1, Message: "a scenario file holds exactly one YAML document", Suggestion: "type: stormproof new"}}
	}
	var value any
	if err := yaml.Unmarshal(b, &value); err != nil {
		return nil, Problems{syntaxProblem(name, err)}
	}
	schema, err := compiledSchema()
	if err != nil {
		return nil, err
	}
	if err := schema.Validate(value); err != nil {
		var invalid *jsonschema.ValidationError
		if !errors.As(err, &invalid) {
			return nil, fmt.Errorf("validating %s: %w", name, err)
		}
		return nil, schemaProblems(name, file, invalid)
	}
	s := &Scenario{File: name}
	if err := yaml.UnmarshalWithOptions(b, s, yaml.Strict()); err != nil {
		return nil, Problems{syntaxProblem(name, err)}
	}
	return s, s.resolveSystem()
}

var compiledSchema = sync.OnceValues(func() (*jsonschema.Schema, error) { return compileSchema("") })

// compileSchema compiles the schema, or the part of it at a fragment such as #/$defs/System.
func compileSchema(fragment string) (*jsonschema.Schema, error) {
	b, err := Schema()
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

func syntaxProblem(name string, err error) Problem {
	p := Problem{File: name, Line: 1, Col: 1, Message: err.Error()}
	var ye yaml.Error
	if errors.As(err, &ye) {
		p.Message = ye.GetMessage()
		if t := ye.GetToken(); t != nil {
			p.Line, p.Col = t.Position.Line, t.Position.Column
		}
	}
	return p
}

// schemaProblems turns the leaves of a validation error into problems with positions.
func schemaProblems(name string, file *ast.File, err *jsonschema.ValidationError) Problems {
	var out Problems
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) > 0 {
			for _, c := range e.Causes {
				walk(c)
			}
			return
		}
		out = append(out, leafProblems(name, file, e)...)
	}
	walk(err)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Line < out[j].Line })
	return out
}

func leafProblems(name string, file *ast.File, e *jsonschema.ValidationError) Problems {
	at := func(path []string) Problem {
		line, col := position(file, path)
		return Problem{File: name, Line: line, Col: col, Field: strings.Join(path, ".")}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var out Problems
		for _, prop := range k.Properties {
			p := at(append(append([]string{}, e.InstanceLocation...), prop))
			p.Message = fmt.Sprintf("there is no field %q here", prop)
			p.Suggestion = didYouMean(prop, fieldsAt(e.SchemaURL))
			out = append(out, p)
		}
		return out
	case *kind.Required:
		p := at(e.InstanceLocation)
		p.Message = "missing " + strings.Join(k.Missing, ", ")
		return Problems{p}
	case *kind.Enum:
		p := at(e.InstanceLocation)
		var want []string
		for _, w := range k.Want {
			want = append(want, fmt.Sprint(w))
		}
		p.Message = fmt.Sprintf("%v is not one of %s", k.Got, strings.Join(want, ", "))
		p.Suggestion = didYouMean(fmt.Sprint(k.Got), want)
		return Problems{p}
	case *kind.Pattern:
		p := at(e.InstanceLocation)
		p.Message = fmt.Sprintf("%q does not have the form %s", k.Got, k.Want)
		if k.Want == durationPattern {
			p.Message = fmt.Sprintf("%q is not a duration", k.Got)
			p.Suggestion = "write for example 500ms, 2s or 4m59s"
		}
		return Problems{p}
	case *kind.MaxProperties, *kind.MinProperties:
		p := at(e.InstanceLocation)
		p.Message = "exactly one of its fields must be set; start a new list item for each step"
		return Problems{p}
	default:
		p := at(e.InstanceLocation)
		p.Message = e.ErrorKind.LocalizedString(printer)
		return Problems{p}
	}
}
