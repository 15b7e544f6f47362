package expr

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Uses are the variables that an expression reads, sorted; those of its own macros are none.
func (e *Expression) Uses() []string {
	var out []string
	e.free(e.checked.NativeRep().Expr(), nil, func(name string, _ ast.Expr) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	})
	slices.Sort(out)
	return out
}

// Ref is an entry of a variable that an expression names: answers.first or answers["first"].
type Ref struct {
	Name string
	// Offset of the variable in the text, in characters from 0.
	Offset int
}

// Refs are the entries of a variable that the expression names, in its order.
func (e *Expression) Refs(variable string) []Ref {
	var out []Ref
	info := e.checked.NativeRep().SourceInfo()
	add := func(name string, x ast.Expr) {
		out = append(out, Ref{name, info.GetStartLocation(x.ID()).Column()})
		if r, ok := info.GetOffsetRange(x.ID()); ok {
			out[len(out)-1].Offset = int(r.Start)
		}
	}
	visit(e.checked.NativeRep().Expr(), func(x ast.Expr) {
		switch {
		case x.Kind() == ast.SelectKind && isIdent(x.AsSelect().Operand(), variable):
			add(x.AsSelect().FieldName(), x.AsSelect().Operand())
		case x.Kind() == ast.CallKind && x.AsCall().FunctionName() == operators.Index && isIdent(x.AsCall().Args()[0], variable):
			if name, ok := literal(x.AsCall().Args()[1]).(types.String); ok {
				add(string(name), x.AsCall().Args()[0])
			}
		}
	})
	return out
}

// Constant reports whether the expression has the same truth value whatever there is, apart
// from errors. It finds what folding and a few laws can show, and never guesses.
func (e *Expression) Constant() (value, known bool) {
	return e.truth(e.checked.NativeRep().Expr())
}

func (e *Expression) truth(x ast.Expr) (value, known bool) {
	if b, ok := literal(x).(types.Bool); ok {
		return bool(b), true
	}
	if v, ok := e.fold(x); ok {
		return v, true
	}
	switch x.Kind() {
	case ast.CallKind:
		return e.callTruth(x.AsCall())
	case ast.ComprehensionKind:
		return e.macroTruth(x)
	default:
		return false, false
	}
}

// fold evaluates what reads no variable.
func (e *Expression) fold(x ast.Expr) (value, ok bool) {
	found := false
	e.free(x, nil, func(string, ast.Expr) { found = true })
	if found || x.Kind() == ast.ComprehensionKind && !e.closed(x) {
		return false, false
	}
	_, v, err := e.value(x, nil)
	b, is := v.(types.Bool)
	return bool(b), err == nil && is
}

// closed reports whether a macro can be printed, and so evaluated on its own.
func (e *Expression) closed(x ast.Expr) bool {
	_, ok := e.checked.NativeRep().SourceInfo().GetMacroCall(x.ID())
	return ok
}

func (e *Expression) callTruth(call ast.CallExpr) (value, known bool) {
	args := call.Args()
	switch op := call.FunctionName(); op {
	case operators.LogicalAnd, operators.LogicalOr:
		// One side can decide alone; else both must be known.
		decides := op == operators.LogicalOr
		all := true
		for _, arg := range args {
			v, ok := e.truth(arg)
			if ok && v == decides {
				return decides, true
			}
			all = all && ok
		}
		return !decides, all
	case operators.LogicalNot:
		v, ok := e.truth(args[0])
		return !v, ok
	case operators.Conditional:
		if v, ok := e.truth(args[0]); ok {
			return e.truth(args[map[bool]int{true: 1, false: 2}[v]])
		}
		a, knownA := e.truth(args[1])
		b, knownB := e.truth(args[2])
		return a, knownA && knownB && a == b
	default:
		return e.comparisonTruth(op, args)
	}
}

// comparisonTruth knows that a thing equals itself and that a count is never negative.
func (e *Expression) comparisonTruth(op string, args []ast.Expr) (value, known bool) {
	if _, is := comparisons[op]; !is {
		return false, false
	}
	if e.text(args[0]) == e.text(args[1]) {
		return op == operators.Equals || op == operators.LessEquals || op == operators.GreaterEquals, true
	}
	count, bound := args[0], args[1]
	if isConstant(count) {
		count, bound = bound, count
		if m, ok := mirrored[op]; ok {
			op = m
		}
	}
	limit, ok := number(bound)
	if !ok || !neverNegative(count) {
		return false, false
	}
	switch {
	case op == operators.GreaterEquals && limit <= 0, op == operators.Greater && limit < 0, op == operators.NotEquals && limit < 0:
		return true, true
	case op == operators.Less && limit <= 0, op == operators.LessEquals && limit < 0, op == operators.Equals && limit < 0:
		return false, true
	}
	return false, false
}

// macroTruth knows `all` of what always holds, and `exists` of what never does.
func (e *Expression) macroTruth(x ast.Expr) (value, known bool) {
	macro, ok := e.checked.NativeRep().SourceInfo().GetMacroCall(x.ID())
	if !ok || macro.Kind() != ast.CallKind {
		return false, false
	}
	args := macro.AsCall().Args()
	if len(args) == 0 {
		return false, false
	}
	v, ok := e.truth(args[len(args)-1])
	switch name := macro.AsCall().FunctionName(); {
	case ok && v && name == operators.All:
		return true, true
	case ok && !v && (name == operators.Exists || name == operators.ExistsOne):
		return false, true
	}
	return false, false
}

// neverNegative holds for sizes, for what the harness counts, and for sums of them.
func neverNegative(x ast.Expr) bool {
	switch x.Kind() {
	case ast.LiteralKind:
		n, ok := number(x)
		return ok && n >= 0
	case ast.SelectKind:
		return slices.Contains([]string{"count", "planned", "matched", "applied"}, x.AsSelect().FieldName()) &&
			(below(x.AsSelect().Operand(), "answers") || below(x.AsSelect().Operand(), "faults"))
	case ast.CallKind:
		switch x.AsCall().FunctionName() {
		case "size":
			return true
		case operators.Index:
			return isIdent(x.AsCall().Args()[0], "kube")
		case operators.Add, operators.Multiply:
			return neverNegative(x.AsCall().Args()[0]) && neverNegative(x.AsCall().Args()[1])
		}
	}
	return false
}

// below reports whether x is an entry of a variable.
func below(x ast.Expr, variable string) bool {
	return x.Kind() == ast.SelectKind && isIdent(x.AsSelect().Operand(), variable) ||
		x.Kind() == ast.CallKind && x.AsCall().FunctionName() == operators.Index && isIdent(x.AsCall().Args()[0], variable)
}

func isIdent(x ast.Expr, name string) bool { return x.Kind() == ast.IdentKind && x.AsIdent() == name }

func literal(x ast.Expr) any {
	if x.Kind() != ast.LiteralKind {
		return nil
	}
	return x.AsLiteral()
}

func number(x ast.Expr) (float64, bool) {
	switch v := literal(x).(type) {
	case types.Int:
		return float64(v), true
	case types.Uint:
		return float64(v), true
	case types.Double:
		return float64(v), true
	}
	return 0, false
}

// text prints a part; two parts with one text are the same, for CEL has no side effects.
func (e *Expression) text(x ast.Expr) string {
	s, err := cel.ExprToString(x, e.checked.NativeRep().SourceInfo())
	if err != nil {
		return ""
	}
	return s
}

// visit calls do for a part and all parts below it.
func visit(x ast.Expr, do func(ast.Expr)) {
	ast.PreOrderVisit(x, ast.NewExprVisitor(do))
}

// free calls do for every use of a variable that is not a macro's own.
func (e *Expression) free(x ast.Expr, bound []string, do func(string, ast.Expr)) {
	switch x.Kind() {
	case ast.IdentKind:
		if name := x.AsIdent(); !slices.Contains(bound, name) {
			do(name, x)
		}
	case ast.SelectKind:
		e.free(x.AsSelect().Operand(), bound, do)
	case ast.CallKind:
		if x.AsCall().IsMemberFunction() {
			e.free(x.AsCall().Target(), bound, do)
		}
		for _, arg := range x.AsCall().Args() {
			e.free(arg, bound, do)
		}
	case ast.ListKind:
		for _, item := range x.AsList().Elements() {
			e.free(item, bound, do)
		}
	case ast.MapKind:
		for _, entry := range x.AsMap().Entries() {
			e.free(entry.AsMapEntry().Key(), bound, do)
			e.free(entry.AsMapEntry().Value(), bound, do)
		}
	case ast.ComprehensionKind:
		c := x.AsComprehension()
		e.free(c.IterRange(), bound, do)
		e.free(c.AccuInit(), bound, do)
		inner := append(slices.Clone(bound), c.IterVar(), c.IterVar2(), c.AccuVar())
		for _, part := range []ast.Expr{c.LoopCondition(), c.LoopStep(), c.Result()} {
			e.free(part, inner, do)
		}
	}
}
