package scenario

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// source is one YAML file that a scenario is made from.
type source struct {
	name string
	text []byte
	file *ast.File
}

// parseSource reads a file that must hold exactly one document, and its value.
func parseSource(name string, b []byte, what string) (*source, any, error) {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, nil, Problems{syntaxProblem(name, b, err)}
	}
	if len(file.Docs) > 1 {
		return nil, nil, Problems{{File: name, Line: secondDocument(file), Col: 1, Message: "a second YAML document begins here",
			Suggestion: "put it into a file of its own: one file is one " + what}}
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil, Problems{{File: name, Line: 1, Col: 1, Message: "the file is empty", Suggestion: "to see a scenario, type: stormproof new"}}
	}
	var value any
	if err := yaml.Unmarshal(b, &value); err != nil {
		return nil, nil, Problems{syntaxProblem(name, b, err)}
	}
	return &source{name: name, text: b, file: file}, value, nil
}

// secondDocument is the line of the mark before it.
func secondDocument(file *ast.File) int {
	if mark := file.Docs[1].Start; mark != nil {
		return mark.Position.Line
	}
	return 1
}

// syntaxProblem says where a text stops being YAML.
func syntaxProblem(name string, b []byte, err error) Problem {
	p := Problem{File: name, Line: 1, Col: 1, Message: err.Error(), Suggestion: "see a complete scenario in TESTING.md"}
	var ye yaml.Error
	if !errors.As(err, &ye) {
		return p
	}
	p.Message = ye.GetMessage()
	if t := ye.GetToken(); t != nil {
		p.Line, p.Col = t.Position.Line, max(1, t.Position.Column)
	}
	p.Message, p.Suggestion = plainSyntax(p.Message, lineFrom(b, p.Line, p.Col-1))
	return p
}

// plainSyntax says what to type instead; rest is the line from where the parser stopped.
func plainSyntax(message, rest string) (what, instead string) {
	switch {
	case placeholderAhead.MatchString(rest):
		return "a placeholder without quotes begins a YAML mapping", `put the whole value in quotes, for example count: "{{n}}"`
	case strings.Contains(rest, "\t"):
		return "YAML is not indented with tabs", "use two spaces a level"
	case strings.Contains(message, "must be specified"):
		return "a { } or [ ] is broken off here", "close it, and put a text that holds one of : , # [ ] { } in quotes"
	case strings.Contains(message, "already defined"):
		return message, "keep one of the two"
	case strings.Contains(rest, ": "):
		return message, "put a text that holds a colon in quotes, and line up keys that belong together"
	default:
		return message, "close every bracket and quote, and put a text that holds one of : , # [ ] { } in quotes"
	}
}

var placeholderAhead = regexp.MustCompile(`^.?\{?\{[A-Za-z ]+\}\}`)

// lineFrom is the rest of a line from a column, both from 1.
func lineFrom(b []byte, line, col int) string {
	lines := strings.Split(string(b), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	text := lines[line-1]
	return text[min(max(0, col-1), len(text)):]
}

// place is a value of a source, and how the scenario came to it.
type place struct {
	src  *source
	path []string
	// scope filled in the placeholders there; nil where there are none to fill in.
	scope *scope
	// via is the use step that led from another file to this one, nil in the scenario's own.
	via *place
}

// at is a place below.
func (p place) at(path ...string) place {
	p.path = append(slices.Clone(p.path), path...)
	return p
}

// problem is something wrong at this place.
func (p place) problem(message, suggestion string) Problem {
	line, col := position(p.src.file, p.path)
	return Problem{File: p.src.name, Line: line, Col: col, Field: strings.Join(p.path, "."), Message: message,
		Suggestion: suggestion, Chain: p.chain()}
}

// chain lists the use steps from this file up to the scenario's own.
func (p place) chain() []string {
	var out []string
	for via := p.via; via != nil; via = via.via {
		line, _ := position(via.src.file, via.path)
		out = append(out, via.src.name+":"+strconv.Itoa(line))
	}
	return out
}

// sibling is a path as written in this place's file.
func (p place) sibling(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(p.src.name), path)
}

// places maps the steps of an expanded scenario to where they were written.
type places struct {
	root place
	// steps is keyed by the step's path after expansion, for example steps.3.concurrently.0.
	steps map[string]place
}

// find is the place of a path after expansion.
func (ps *places) find(path []string) place {
	for n := len(path); n > 0; n-- {
		if p, ok := ps.steps[strings.Join(path[:n], ".")]; ok {
			return p.at(path[n:]...)
		}
	}
	return ps.root.at(path...)
}
