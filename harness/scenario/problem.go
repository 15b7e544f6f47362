package scenario

import (
	"cmp"
	"fmt"
	"sort"
	"strings"
)

// Problem is one thing wrong with a scenario file, told so that its author can mend it.
type Problem struct {
	File       string
	Line, Col  int
	Field      string
	Message    string
	Suggestion string
	// Chain lists, for a problem inside of a fragment, the use steps that led there:
	// file:line, the nearest first.
	Chain []string
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
	if len(p.Chain) > 0 {
		s += " (used by " + strings.Join(p.Chain, ", used by ") + ")"
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

func (p Problem) same(q Problem) bool {
	return p.Error() == q.Error() && strings.Join(p.Chain, " ") == strings.Join(q.Chain, " ")
}

// sortProblems orders them as a reader meets them, file by file.
func sortProblems(ps Problems) {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col)) < 0
	})
}
