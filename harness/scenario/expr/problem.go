package expr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"

	"github.com/stormproof/stormproof/harness/internal/nearest"
)

// Error is what is wrong with an expression, and where in its text.
type Error struct {
	// Offset counts characters from 0.
	Offset  int
	Message string
	// Suggestion says what to type instead.
	Suggestion string
}

// Error implements error.
func (e *Error) Error() string { return e.Message + "; " + e.Suggestion }

// firstError turns the compiler's first complaint into words for an author.
func firstError(env *cel.Env, source string, issues *cel.Issues) *Error {
	first := issues.Errors()[0]
	text := []rune(source)
	at := offset(text, first.Location.Line(), first.Location.Column())
	message, _, _ := strings.Cut(first.Message, " (in container")
	e := &Error{Offset: at, Message: message}
	word := wordAt(text, at)
	switch {
	case strings.HasPrefix(message, "Syntax error"):
		e.Message, e.Suggestion = syntax(message), insteadOf(message)
	case word != "" && Variables[word] == "" && !env.HasFunction(word) && at+len([]rune(word)) < len(text) && isCall(text, at):
		e.Message, e.Suggestion = "there is no function "+word, hintFunction(env, word)
	case word != "" && Variables[word] == "":
		e.Message, e.Suggestion = "there is no variable "+word, hintVariable(word)
	default:
		if m := overload.FindStringSubmatch(message); m != nil {
			e.Message = fmt.Sprintf("%s does not work on %s", strings.Trim(m[1], "_@"), strings.ReplaceAll(m[2], ", ", " and "))
		}
		e.Suggestion = "both sides must have types that go together; int(), double() and string() convert"
	}
	return e
}

// overload is how the compiler says that a function or an operator does not take these types.
var overload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(?:[^(]*\.)?\(([^']*)\)'$`)

func hintVariable(word string) string {
	var names []string
	for name := range Variables {
		names = append(names, name)
	}
	if near := nearest.Word(word, names); near != "" {
		return "did you mean " + near + "? A text needs quotes: '" + word + "'"
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "it" })
	return nearest.Hint("", names) + `; a text needs quotes: '` + word + `'`
}

func hintFunction(env *cel.Env, word string) string {
	var names []string
	for name := range env.Functions() {
		if unicode.IsLetter(rune(name[0])) {
			names = append(names, name)
		}
	}
	names = append(names, "all", "exists", "exists_one", "filter", "map", "has")
	if near := nearest.Word(word, names); near != "" {
		return "did you mean " + near + "?"
	}
	return "common ones: size, filter, map, all, exists, exists_one, has, contains, startsWith, sort"
}

// syntax shortens the parser's list of everything that it would have taken.
func syntax(message string) string {
	message, _, _ = strings.Cut(message, " expecting ")
	message = strings.TrimPrefix(message, "Syntax error: ")
	message = strings.ReplaceAll(message, "mismatched input '<EOF>'", "it ends too early")
	message = strings.ReplaceAll(message, "mismatched input", "unexpected")
	message = strings.ReplaceAll(message, "extraneous input", "unexpected")
	message = strings.ReplaceAll(message, "no viable alternative at input", "cannot make sense of")
	message = strings.ReplaceAll(message, "token recognition error at:", "unexpected")
	return "not an expression: " + message
}

// insteadOf knows what other languages write.
func insteadOf(message string) string {
	for wrong, right := range map[string]string{"'= '": "write == to compare", "'and'": "write && for and", "'or'": "write || for or", "'not'": "write ! for not"} {
		if strings.Contains(message, wrong) {
			return right
		}
	}
	return "close every bracket and quote; && is and, || is or, ! is not, == compares"
}

// offset turns a line from 1 and a column from 0 into characters from the beginning.
func offset(text []rune, line, column int) int {
	at := 0
	for ; line > 1 && at < len(text); at++ {
		if text[at] == '\n' {
			line--
		}
	}
	return min(max(0, at+column), len(text))
}

// wordAt is the name at, or for a call right before, an offset.
func wordAt(text []rune, at int) string {
	letter := func(i int) bool {
		return i >= 0 && i < len(text) && (unicode.IsLetter(text[i]) || unicode.IsDigit(text[i]) || text[i] == '_')
	}
	if !letter(at) {
		at-- // the compiler points to the parenthesis of a call
	}
	start, end := at, at
	for letter(start - 1) {
		start--
	}
	for letter(end) {
		end++
	}
	if start < 0 || end <= start || unicode.IsDigit(text[start]) {
		return ""
	}
	return string(text[start:end])
}

// isCall reports whether the compiler points into a call: to its parenthesis or its name.
func isCall(text []rune, at int) bool {
	for ; at < len(text); at++ {
		switch r := text[at]; {
		case r == '(':
			return true
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_':
			return false
		}
	}
	return false
}
