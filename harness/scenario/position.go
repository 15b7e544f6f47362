package scenario

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// position finds the line and column of the value at a path of keys and indexes; where
// the path leads nowhere, that of its deepest existing parent.
func position(file *ast.File, path []string) (line, col int) {
	node := file.Docs[0].Body
	mark := func(n ast.Node) {
		// A block mapping begins with its first key, not with the colon behind it.
		if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
			n = m.Values[0].Key
		}
		if m, ok := n.(*ast.MappingValueNode); ok {
			n = m.Key
		}
		if t := n.GetToken(); t != nil && t.Position != nil {
			line, col = t.Position.Line, t.Position.Column
		}
	}
	line, col = 1, 1
	for _, part := range path {
		switch n := node.(type) {
		case *ast.MappingNode:
			value := findKey(n.Values, part)
			if value == nil {
				return line, col
			}
			mark(value.Key)
			node = value.Value
		case *ast.MappingValueNode:
			value := findKey([]*ast.MappingValueNode{n}, part)
			if value == nil {
				return line, col
			}
			mark(value.Key)
			node = value.Value
		case *ast.SequenceNode:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(n.Values) {
				return line, col
			}
			node = n.Values[i]
			mark(node)
		default:
			return line, col
		}
	}
	return line, col
}

func findKey(values []*ast.MappingValueNode, key string) *ast.MappingValueNode {
	for _, v := range values {
		if trimQuotes(v.Key.String()) == key {
			return v
		}
	}
	return nil
}

// findDefinition walks the compiled schema to the definition with this name.
func findDefinition(s *jsonschema.Schema, name string, seen map[string]bool) *jsonschema.Schema {
	if s == nil || seen[s.Location] {
		return nil
	}
	seen[s.Location] = true
	if strings.HasSuffix(s.Location, "/$defs/"+name) {
		return s
	}
	next := []*jsonschema.Schema{s.Ref, s.Items2020}
	for _, p := range s.Properties {
		next = append(next, p)
	}
	for _, n := range next {
		if found := findDefinition(n, name, seen); found != nil {
			return found
		}
	}
	return nil
}

// Position is where a field of a loaded scenario was written, for example "steps.3": in the
// scenario's file, or in a fragment's. It is 1:1 of the scenario's file when that is unknown.
func (s *Scenario) Position(field string) (file string, line, col int) {
	p := s.place(field).problem("", "")
	return p.File, p.Line, p.Col
}

// place is where a field of the expanded scenario was written. A scenario that was made by a
// program has an empty file.
func (s *Scenario) place(field string) place {
	path := strings.Split(field, ".")
	if s.places == nil {
		empty := &ast.File{Docs: []*ast.DocumentNode{{}}}
		return place{src: &source{name: s.File, file: empty}, path: path}
	}
	return s.places.find(path)
}
