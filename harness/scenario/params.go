package scenario

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/nearest"
	"github.com/stormproof/stormproof/harness/system"
)

// placeholder is {{name}}; what begins with a dot or holds two words is somebody else's
// template and stays.
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z0-9-]+)?)\s*\}\}`)

var paramName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

var numberedNamespace = regexp.MustCompile(`^ns[1-9][0-9]*$`)

// generatedName is a placeholder for a text that nobody wants to write: see Generate.
var generatedName = regexp.MustCompile(`^(?:(long|deep|labels)\.([1-9][0-9]{0,7})|byte\.([0-9a-f]{2}))$`)

// Generate is the text of a placeholder such as long.5000; false where it has none of its own.
func Generate(name string) (string, bool) {
	m := generatedName.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	n, _ := strconv.Atoi(m[2])
	switch m[1] {
	case "long":
		return strings.Repeat("x", n), true
	case "deep":
		return strings.Repeat("[", n) + strings.Repeat("]", n), true
	case "labels":
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"l%d":"x",`, i+1)
		}
		return strings.TrimSuffix(b.String(), ","), true
	}
	b, _ := hex.DecodeString(m[3])
	return string(b), true
}

// runtimeNames are the placeholders that the run fills in, not the loader.
func runtimeNames() []string {
	return append(sortedKeys(system.Placeholders), "i", "ns2", "offset")
}

// isRuntime reports whether a placeholder is left for the run.
func isRuntime(name string) bool {
	return numberedNamespace.MatchString(name) || strings.HasPrefix(name, "sink.") || hasPrefix(name, "secret.", "bcrypt.", "base64.", "file.") || generatedName.MatchString(name) || slices.Contains(runtimeNames(), name) ||
		name == "end" || name == "else" // of Go's templates
}

func hasPrefix(name string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// scope is the parameters that one file's placeholders are filled in from.
type scope struct {
	values map[string]any
	// used is shared by the variants of a scenario.
	used map[string]bool
}

// fill replaces the parameters in a value. A text that is one placeholder takes the
// parameter's value with its type.
func (x *expander) fill(v any, at place) any {
	switch t := v.(type) {
	case string:
		return x.fillText(t, at)
	case []any:
		out := make([]any, len(t))
		for i := range t {
			out[i] = x.fill(t[i], at.at(strconv.Itoa(i)))
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, value := range t {
			key := k
			if strings.Contains(k, "{{") {
				key = fmt.Sprint(x.fillText(k, at.at(k)))
			}
			out[key] = x.fill(value, at.at(k))
		}
		return out
	default:
		return v
	}
}

func (x *expander) fillText(text string, at place) any {
	if !strings.Contains(text, "{{") {
		return text
	}
	if m := placeholder.FindStringSubmatch(text); m != nil && m[0] == text {
		if v, ok := at.scope.values[m[1]]; ok {
			at.scope.used[m[1]] = true
			return v
		}
	}
	out, _, wrong := at.scope.expand(text)
	for _, name := range wrong {
		x.refuse(x.unknown(name, at))
	}
	return out
}

// unknown explains a placeholder that nothing fills in.
func (x *expander) unknown(name string, at place) Problem {
	if v, has := at.scope.values[name]; has {
		return at.problem(fmt.Sprintf("parameter %s is %s, which does not fit into a text", name, kindOf(v)),
			fmt.Sprintf(`write "{{%s}}" alone to have the whole value`, name))
	}
	known := append(sortedKeys(at.scope.values), runtimeNames()...)
	suggestion := "declare it, params: {" + name + ": ...}"
	if near := nearest.Word(name, known); near != "" {
		suggestion = "did you mean {{" + near + "}}?"
	}
	return at.problem(fmt.Sprintf("nothing is called {{%s}}", name), suggestion)
}

// expand fills parameters into a text. from[i] is the byte of the text that byte i of the
// result came from; wrong are the names that cannot be filled in.
func (s *scope) expand(text string) (out string, from []int, wrong []string) {
	var b strings.Builder
	keep := func(piece string, start int, moves bool) {
		for i := range len(piece) {
			if moves {
				from = append(from, start+i)
			} else {
				from = append(from, start)
			}
		}
		b.WriteString(piece)
	}
	end := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		keep(text[end:m[0]], end, true)
		name := text[m[2]:m[3]]
		end = m[1]
		v, ok := s.values[name]
		switch {
		case ok && isScalar(v):
			s.used[name] = true
			keep(fmt.Sprint(v), m[0], false)
		case !ok && isRuntime(name):
			keep("{{"+name+"}}", m[0], false) // as the run knows it, without blanks
		default:
			wrong = append(wrong, name)
			keep(text[m[0]:m[1]], m[0], true)
		}
	}
	keep(text[end:], end, true)
	return b.String(), from, wrong
}

func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any, nil:
		return false
	default:
		return true
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case nil:
		return "empty"
	case string:
		return "a text"
	case bool:
		return "true or false"
	default:
		return "a number"
	}
}

// checkParams refuses names that nobody could use, and values that would need filling in.
func (x *expander) checkParams(params map[string]any, at place) {
	for _, name := range sortedKeys(params) {
		switch {
		case !paramName.MatchString(name):
			x.refuse(at.at(name).problem(fmt.Sprintf("%q cannot be a parameter's name", name), "use letters and digits, for example maxPods"))
		case isRuntime(name):
			x.refuse(at.at(name).problem(fmt.Sprintf("{{%s}} already has a meaning: the run fills it in", name), "choose another name"))
		}
		text, _ := params[name].(string)
		for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
			if !isRuntime(m[1]) {
				x.refuse(at.at(name).problem(fmt.Sprintf("a parameter's value cannot use {{%s}}", m[1]), "write the value itself"))
			}
		}
	}
}
