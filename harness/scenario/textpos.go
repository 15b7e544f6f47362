package scenario

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// inText is the line and column of a character inside of the text at this place, counted
// from 0 in the text as it is after parameters were filled in.
func (p place) inText(offset int) (line, col int) {
	node := valueAt(p.src.file, p.path)
	raw, ok := textOf(node)
	if !ok {
		return position(p.src.file, p.path)
	}
	final, from := raw, []int(nil)
	if p.scope != nil {
		final, from, _ = p.scope.expand(raw)
	}
	at := len(final)
	for i := range final {
		if offset == 0 {
			at = i
			break
		}
		offset--
	}
	if at < len(from) {
		at = from[at]
	}
	start := node.GetToken().Position
	return align(strings.Split(string(p.src.text), "\n"), start.Line, start.Column, raw, at)
}

// valueAt is the value at a path, nil where there is none.
func valueAt(file *ast.File, path []string) ast.Node {
	node := file.Docs[0].Body
	for _, part := range path {
		var value *ast.MappingValueNode
		switch n := node.(type) {
		case *ast.MappingNode:
			value = findKey(n.Values, part)
		case *ast.MappingValueNode:
			value = findKey([]*ast.MappingValueNode{n}, part)
		case *ast.SequenceNode:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(n.Values) {
				return nil
			}
			node = n.Values[i]
			continue
		}
		if value == nil {
			return nil
		}
		node = value.Value
	}
	return node
}

func textOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		return "", false
	}
}

// align finds byte target of a YAML text in the lines that it was written in, whatever the
// style: plain, quoted, or a block. It walks both at once: source has more than text, namely
// quotes, escapes and indentation. Where they part, it gives the beginning.
func align(lines []string, line, col int, text string, target int) (int, int) {
	w := walker{lines: lines, line: line - 1, col: col - 1}
	style := w.rune()
	switch style {
	case '"', '\'':
		w.next()
	case '|', '>':
		w.line, w.col = w.line+1, 0
	}
	for i, r := range text {
		if !w.match(r, style) {
			return line, col
		}
		if i >= target {
			break
		}
		w.pass(style)
	}
	return w.line + 1, w.col + 1
}

// walker reads source runes; a line's end is a newline.
type walker struct {
	lines     []string
	line, col int
}

func (w *walker) rune() rune {
	if w.line >= len(w.lines) {
		return utf8.RuneError
	}
	runes := []rune(w.lines[w.line])
	if w.col >= len(runes) {
		return '\n'
	}
	return runes[w.col]
}

func (w *walker) next() {
	if w.rune() == '\n' {
		w.line, w.col = w.line+1, 0
		return
	}
	w.col++
}

// match moves to the source of a rune: over indentation, to an escape, to a folded newline.
func (w *walker) match(r, style rune) bool {
	for {
		s := w.rune()
		switch {
		case s == r, s == '\\' && style == '"', s == '\n' && unicode.IsSpace(r):
			return true
		case s == utf8.RuneError || !unicode.IsSpace(s):
			return false
		}
		w.next()
	}
}

// pass goes on behind a rune that was matched.
func (w *walker) pass(style rune) {
	s := w.rune()
	w.next()
	switch {
	case style == '\'' && s == '\'':
		w.next()
	case style == '"' && s == '\\':
		digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[w.rune()]
		w.next()
		for range digits {
			w.next()
		}
	}
}

// runeOffset is where a part begins in a text, in characters; 0 when it is not there.
func runeOffset(text, part string) int {
	before, _, found := strings.Cut(text, part)
	if !found {
		return 0
	}
	return utf8.RuneCountInString(before)
}
