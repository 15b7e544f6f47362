// Package expr is the expressions of scenarios: CEL over what a scenario can see, which must
// yield true or false. A false expression explains itself: which of its parts is false, and
// what was on both sides (Sides).
package expr

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

// Variables of every expression, with what they hold. Nobody changes it.
var Variables = map[string]string{
	"answers":    "map from step id to {count, statuses, verdicts, list: [{status, headers, body, problem, latencyMs, certificate}], and of a load elapsedMs, to its last answer}",
	"rr":         "list of RemediationRequests in the scenario's namespaces, as Kubernetes returns them",
	"pages":      "list of StormPages",
	"table":      "{columns, rows} that the API server gives kubectl get remediationrequests to print, of the scenario's first namespace",
	"explain":    "list of {kind, field, description}: every field of spec and status, as the API server gives them to kubectl explain",
	"members":    "list of all members of all pages",
	"keys":       "list of {name, type, ttlMs, bytes} of the scenario's Redis keys",
	"redisNodes": "list of {role, addr, up, errors}: the servers of the scenario's own topology, with their roles as they say themselves, and how many errors each answered so far by first word, such as MOVED",
	"metrics":    "map from series, or name summed over its series, to value; over all replicas",
	"metricLint": "list of what promtool check metrics finds wrong with the metrics of all replicas",
	"received":   "map from sink to its requests: {method, path, headers, body, atMs, status}",
	"spans":      "list of {name, traceId, spanId, parentId, kind, status, message, attributes, resource, durationMs}: what was exported to the sinks by OTLP, and taken",
	"objects":    "list of the objects that the system writes, of the kinds in system.objects",
	"faults":     "map from fault id to {planned, matched, applied}",
	"kube":       "map from 'verb resource' to the number of requests that the gateway made",
	"rights":     "list of 'verb resource.group': what the gateway's manifest allows it",
	"audit":      "list of 'verb resource.group': what the gateway asked for, allowed or not, by the API server's audit log. It needs: {account: true}",
	"ready":      "{status, body} of GET /readyz at the first replica",
	"health":     "{status, body} of GET /healthz at the first replica",
	"log":        "the gateway's log so far, as text",
	"ns":         "the scenario's first namespace",
	"it":         "the object under the eye of `where`",
}

var celEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	opts := []cel.EnvOption{cel.EnableMacroCallTracking(), ext.Strings(), ext.Lists(), ext.Sets(), ext.Math(), ext.TwoVarComprehensions()}
	for name := range Variables {
		opts = append(opts, cel.Variable(name, cel.DynType))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("building the expression environment: %w", err)
	}
	return env, nil
})

// Expression is a compiled CEL expression that yields a truth value.
type Expression struct {
	source  string
	program cel.Program
	checked *cel.Ast
}

// Compile checks an expression; what the author can mend is told as an *Error.
func Compile(source string) (*Expression, error) {
	env, err := celEnvironment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, firstError(env, source, issues)
	}
	if t := checked.OutputType(); t != cel.BoolType && t != cel.DynType {
		return nil, &Error{Message: fmt.Sprintf("the expression yields %s, and must yield true or false", t), Suggestion: "compare it with something, for example == 1"}
	}
	program, err := env.Program(checked, cel.CostLimit(10_000_000))
	if err != nil {
		return nil, fmt.Errorf("planning expression: %w", err)
	}
	return &Expression{source: source, program: program, checked: checked}, nil
}

// Eval evaluates. Values in vars may be func() any, which are called when needed, once.
func (e *Expression) Eval(vars map[string]any) (bool, error) {
	v, _, err := e.program.Eval(vars)
	if err != nil {
		return false, fmt.Errorf("evaluating %q: %w", e.source, err)
	}
	b, ok := v.Value().(bool)
	if !ok {
		return false, fmt.Errorf("expression %q yields %v, not true or false", e.source, v.Value())
	}
	return b, nil
}

// operands are the parts of a comparison or of a call on a value that are worth showing.
func operands(x ast.Expr) []ast.Expr {
	switch x.Kind() {
	case ast.CallKind:
		call := x.AsCall()
		out := []ast.Expr{}
		if call.IsMemberFunction() {
			out = append(out, call.Target())
		}
		for _, a := range call.Args() {
			if a.Kind() != ast.LiteralKind {
				out = append(out, a)
			}
		}
		return out
	case ast.ComprehensionKind:
		return []ast.Expr{x.AsComprehension().IterRange()}
	default:
		return nil
	}
}

// value evaluates a part of the expression by compiling its text on its own.
func (e *Expression) value(x ast.Expr, vars map[string]any) (string, ref.Val, error) {
	text, err := cel.ExprToString(x, e.checked.NativeRep().SourceInfo())
	if err != nil {
		return "", nil, fmt.Errorf("printing a part of %q: %w", e.source, err)
	}
	v, err := evalText(text, vars)
	return text, v, err
}

// plain turns CEL's maps with keys of any type into maps that JSON and YAML can print.
func plain(v any) any {
	switch t := v.(type) {
	case ref.Val:
		return plain(t.Value())
	case map[ref.Val]ref.Val:
		return plainMap(t, func(k ref.Val) any { return k.Value() })
	case map[any]any:
		return plainMap(t, func(k any) any { return k })
	case map[string]any:
		return plainMap(t, func(k string) any { return k })
	case []ref.Val:
		return plainList(t)
	case []any:
		return plainList(t)
	default:
		return v
	}
}

func plainMap[K comparable, V any](m map[K]V, name func(K) any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[fmt.Sprint(name(k))] = plain(v)
	}
	return out
}

func plainList[V any](list []V) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = plain(v)
	}
	return out
}
