package scenario

import (
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

var printer = message.NewPrinter(language.English)

// position finds the line and column of the value at a path of keys and indexes; where
// the path leads nowhere, that of its deepest existing parent.
func position(file *ast.File, path []string) (line, col int) {
	node := file.Docs[0].Body
	mark := func(n ast.Node) {
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

// fieldsAt lists the fields that the schema allows at a location of itself.
func fieldsAt(schemaURL string) []string {
	schema, err := compiledSchema()
	if err != nil {
		return nil
	}
	u, err := url.Parse(schemaURL)
	if err != nil {
		return nil
	}
	def := schema
	if name, ok := strings.CutPrefix(u.Fragment, "/$defs/"); ok {
		def = findDefinition(schema.Ref, name, map[string]bool{})
	}
	if def == nil {
		return nil
	}
	var out []string
	for name := range def.Properties {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// didYouMean names the nearest candidate, or all of them when none is near.
func didYouMean(got string, candidates []string) string {
	best, bestDistance := "", len(got)/2+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(got), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return "did you mean " + strconv.Quote(best) + "?"
	}
	if len(candidates) == 0 {
		return ""
	}
	return "valid here: " + strings.Join(candidates, ", ")
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
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

// locate finds a field of a loaded scenario in its file; 1:1 when the file has gone.
func (l *linter) locate(field string) (line, col int) {
	b, err := os.ReadFile(l.scenario.File)
	if err != nil {
		return 1, 1
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil || len(file.Docs) == 0 {
		return 1, 1
	}
	return position(file, strings.Split(field, "."))
}

// Position is the line and column of a field of a loaded scenario, for example of
// "steps.3"; 1:1 when its file has gone.
func (s *Scenario) Position(field string) (line, col int) {
	return (&linter{scenario: s}).locate(field)
}
