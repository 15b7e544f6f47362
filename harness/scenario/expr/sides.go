package expr

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Sides is what a false expression wanted and what there was, for a diff.
type Sides struct {
	// Part is the first part of the expression that is false.
	Part string
	// Expected and Seen are values with every variable filled in. Compared is false when
	// the part is no comparison; then both are nil.
	Expected, Seen any
	Compared       bool
	// Values are the variables and parts behind it, by name, in order.
	Values []Value
}

// Value is a named part of an expression, and what it is now.
type Value struct {
	Name  string
	Value any
	Err   error
}

var comparisons = map[string]string{operators.Equals: "", operators.NotEquals: "not ", operators.Less: "less than ",
	operators.LessEquals: "at most ", operators.Greater: "more than ", operators.GreaterEquals: "at least "}

// mirrored is what a comparison is when its sides change places.
var mirrored = map[string]string{operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals,
	operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals}

// Sides finds the first false part and the values on its both sides.
func (e *Expression) Sides(vars map[string]any) Sides {
	x := e.firstFalse(e.checked.NativeRep().Expr(), vars)
	text, _, err := e.value(x, vars)
	s := Sides{Part: text}
	if err != nil {
		s.Values = append(s.Values, Value{Name: text, Err: err})
		return s
	}
	if x.Kind() == ast.CallKind {
		if _, is := comparisons[x.AsCall().FunctionName()]; is {
			e.compare(&s, x.AsCall(), vars)
			return s
		}
	}
	if miss, found := e.nearestMiss(x, vars); found {
		s.Values = append(s.Values, miss)
		return s
	}
	for _, operand := range operands(x) {
		s.Values = append(s.Values, e.named(operand, vars))
	}
	return s
}

// firstFalse is the first conjunct that is false or in error.
func (e *Expression) firstFalse(x ast.Expr, vars map[string]any) ast.Expr {
	if x.Kind() != ast.CallKind || x.AsCall().FunctionName() != operators.LogicalAnd {
		return x
	}
	for _, arg := range x.AsCall().Args() {
		if _, v, err := e.value(arg, vars); err != nil || v != types.True {
			return e.firstFalse(arg, vars)
		}
	}
	return x
}

// compare takes the literal side, else the right one, as what was expected.
func (e *Expression) compare(s *Sides, call ast.CallExpr, vars map[string]any) {
	want, got, op := call.Args()[1], call.Args()[0], call.FunctionName()
	if isConstant(got) && !isConstant(want) {
		want, got = got, want
		if m, ok := mirrored[op]; ok {
			op = m
		}
	}
	w, g := e.named(want, vars), e.named(got, vars)
	if w.Err == nil && g.Err == nil {
		s.Expected, s.Seen, s.Compared = w.Value, g.Value, true
		if word := comparisons[op]; word != "" {
			s.Expected = word + fmt.Sprint(w.Value)
		}
	}
	for _, side := range []ast.Expr{got, want} {
		if isConstant(side) {
			continue
		}
		s.Values = append(s.Values, e.named(side, vars))
		// A size alone says little: show what was counted.
		if side.Kind() == ast.CallKind && side.AsCall().FunctionName() == "size" {
			target := side.AsCall().Target()
			if !side.AsCall().IsMemberFunction() {
				target = side.AsCall().Args()[0]
			}
			s.Values = append(s.Values, e.named(target, vars))
		}
	}
}

func isConstant(x ast.Expr) bool {
	switch x.Kind() {
	case ast.LiteralKind:
		return true
	case ast.ListKind:
		for _, item := range x.AsList().Elements() {
			if !isConstant(item) {
				return false
			}
		}
		return true
	case ast.MapKind:
		for _, entry := range x.AsMap().Entries() {
			if !isConstant(entry.AsMapEntry().Key()) || !isConstant(entry.AsMapEntry().Value()) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

func (e *Expression) named(x ast.Expr, vars map[string]any) Value {
	text, v, err := e.value(x, vars)
	if err != nil {
		return Value{Name: text, Err: err}
	}
	return Value{Name: text, Value: native(v)}
}

// nearestMiss is the first element for which an `all` does not hold.
func (e *Expression) nearestMiss(x ast.Expr, vars map[string]any) (Value, bool) {
	macro, ok := e.checked.NativeRep().SourceInfo().GetMacroCall(x.ID())
	if !ok || macro.Kind() != ast.CallKind || macro.AsCall().FunctionName() != operators.All || len(macro.AsCall().Args()) != 2 {
		return Value{}, false
	}
	text := func(x ast.Expr) string {
		s, err := cel.ExprToString(x, e.checked.NativeRep().SourceInfo())
		if err != nil {
			return ""
		}
		return s
	}
	call := macro.AsCall()
	list, item, condition := text(call.Target()), text(call.Args()[0]), text(call.Args()[1])
	v, err := evalText(fmt.Sprintf("%s.filter(%s, !(%s))[0]", list, item, condition), vars)
	if err != nil || list == "" || item == "" || condition == "" {
		return Value{}, false
	}
	return Value{Name: fmt.Sprintf("first %s of %s for which it is false", item, list), Value: native(v)}, true
}

// evalText evaluates an expression that need not be a truth value.
func evalText(text string, vars map[string]any) (ref.Val, error) {
	env, err := celEnvironment()
	if err != nil {
		return nil, err
	}
	part, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	program, err := env.Program(part)
	if err != nil {
		return nil, err
	}
	v, _, err := program.Eval(vars)
	return v, err
}

// native turns a CEL value into plain maps, lists, texts and numbers.
func native(v ref.Val) any {
	out, err := v.ConvertToNative(reflect.TypeFor[any]())
	if err != nil {
		return v.Value()
	}
	return plain(out)
}
