package gate

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Scan looks through the Go test code below root for tests that are skipped, pending or
// focused, and returns file:line and name of each.
func Scan(root string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		found, err := scanFile(path)
		out = append(out, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for skipped tests: %w", err)
	}
	return out, nil
}

// forbidden are the names of Ginkgo's focus and pending decorators, and of the ways to skip.
func forbidden(name string) bool {
	for _, node := range []string{"Describe", "Context", "When", "It", "Specify", "DescribeTable", "Entry", "DescribeSubtree"} {
		if name == "F"+node || name == "P"+node || name == "X"+node {
			return true
		}
	}
	return slices.Contains([]string{"Skip", "Skipf", "SkipNow", "Pending", "Focus", "FlakeAttempts"}, name)
}

func scanFile(path string) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch f := call.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if forbidden(name) {
			p := files.Position(call.Pos())
			out = append(out, fmt.Sprintf("%s:%d %s", p.Filename, p.Line, name))
		}
		return true
	})
	return out, nil
}
