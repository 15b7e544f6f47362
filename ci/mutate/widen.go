package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// block is a stretch of a file in a coverage profile.
type block struct{ fromLine, fromColumn, toLine, toColumn int }

func (b block) holds(p token.Position) bool {
	afterStart := p.Line > b.fromLine || p.Line == b.fromLine && p.Column >= b.fromColumn
	beforeEnd := p.Line < b.toLine || p.Line == b.toLine && p.Column <= b.toColumn
	return afterStart && beforeEnd
}

// widen adds to a coverage profile what Go's coverage has no counter for, and gremlins takes
// for code that no test reaches: the conditions of a switch's cases, which are reached with the
// switch, and the values of constants and variables of the package. pattern is what was
// measured, for example ./gateway/window/... from the working directory.
func widen(profile, pattern string) error {
	raw, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	reached := map[string][]block{}
	for line := range strings.Lines(string(raw)) {
		name, rest, found := strings.Cut(line, ".go:")
		if !found {
			continue // the first line
		}
		var b block
		var statements, count int
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.fromLine, &b.fromColumn, &b.toLine, &b.toColumn, &statements, &count); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		if count == 0 {
			b = block{} // holds nothing; the file is looked at all the same
		}
		reached[name+".go"] = append(reached[name+".go"], b)
	}
	root := strings.TrimSuffix(path.Clean(pattern), "/...") + "/"
	out := string(raw)
	for _, name := range slices.Sorted(maps.Keys(reached)) {
		_, rel, _ := strings.Cut(name, root)
		more, err := without(root+rel, reached[name])
		if err != nil {
			return err
		}
		for _, b := range more {
			out += fmt.Sprintf("%s:%d.%d,%d.%d 1 1\n", name, b.fromLine, b.fromColumn, b.toLine, b.toColumn)
		}
	}
	return os.WriteFile(profile, []byte(out), 0o644)
}

// without finds in a file what is reached and has no counter.
func without(file string, reached []block) (out []block, err error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	add := func(from, to token.Pos) {
		a, b := set.Position(from), set.Position(to)
		out = append(out, block{a.Line, a.Column, b.Line, b.Column})
	}
	for _, d := range tree.Decls {
		if g, ok := d.(*ast.GenDecl); ok && (g.Tok == token.CONST || g.Tok == token.VAR) {
			add(g.Pos(), g.End())
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		s, ok := n.(*ast.SwitchStmt)
		if ok && slices.ContainsFunc(reached, func(b block) bool { return b.holds(set.Position(s.Pos())) }) {
			for _, c := range s.Body.List {
				c := c.(*ast.CaseClause)
				add(c.Case, c.Colon)
			}
		}
		return true
	})
	return out, nil
}
