package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/nearest"
)

// expander turns what an author wrote into what is run: parameters are filled in, cases
// become scenarios of their own, and fragments become steps. It works on plain values
// before the schema sees them, and keeps book of where each step was written, so that
// messages point into the author's files.
type expander struct {
	root     place
	problems Problems
	// files are the fragments read so far; all is their names in order of first use.
	files map[string]*fragment
	all   []string
	// unused are parameters that nobody asks for: no mistake of form, so lint tells.
	unused Problems
}

// variant is the scenario of one case; name is "" where there are no cases.
type variant struct {
	name   string
	value  any
	places *places
}

func newExpander(root *source) *expander {
	return &expander{root: place{src: root}, files: map[string]*fragment{}}
}

// refuse notes a problem once, however many cases run into it.
func (x *expander) refuse(p Problem) {
	if !slices.ContainsFunc(x.problems, p.same) {
		x.problems = append(x.problems, p)
	}
}

// variants makes one scenario a case. A value that is no mapping is left to the schema.
func (x *expander) variants(value any) []variant {
	top, ok := value.(map[string]any)
	if !ok {
		return []variant{{value: value, places: &places{root: x.root}}}
	}
	params, _ := top["params"].(map[string]any)
	x.checkParams(params, x.root.at("params"))
	rows := x.rows(top, params)
	if len(x.problems) > 0 {
		return nil // what follows from them would only confuse
	}
	used := map[string]bool{}
	var out []variant
	for _, row := range rows {
		values := maps.Clone(params)
		if values == nil {
			values = map[string]any{}
		}
		maps.Copy(values, row.values)
		at := x.root
		at.scope = &scope{values: values, used: used}
		v := variant{name: row.name, places: &places{root: at, steps: map[string]place{}}}
		v.value = x.scenario(top, at, v.places)
		out = append(out, v)
	}
	if len(x.problems) == 0 {
		x.checkSame(out)
	}
	x.tellUnused(params, used, x.root.at("params"))
	for _, path := range x.all {
		if f := x.files[path]; f != nil {
			x.tellUnused(f.params, f.used, place{src: f.src}.at("params"))
		}
	}
	if list, ok := top["cases"].([]any); ok && len(list) > 0 {
		columns, _ := list[0].(map[string]any)
		columns = maps.Clone(columns)
		delete(columns, "name")
		maps.DeleteFunc(columns, func(name string, _ any) bool { _, told := params[name]; return told })
		x.tellUnused(columns, used, x.root.at("cases", "0"))
	}
	return out
}

func (x *expander) tellUnused(declared map[string]any, used map[string]bool, at place) {
	for _, name := range sortedKeys(declared) {
		p := at.at(name).problem(fmt.Sprintf("nothing uses {{%s}}", name), "remove it, or write {{"+name+"}} where its value belongs")
		if !used[name] && !slices.ContainsFunc(x.unused, p.same) {
			x.unused = append(x.unused, p)
		}
	}
}

// scenario fills in a scenario's top level and expands its steps.
func (x *expander) scenario(top map[string]any, at place, ps *places) map[string]any {
	out := map[string]any{}
	for key, v := range top {
		steps, isList := v.([]any)
		switch {
		case key == "params" || key == "cases" || key == "steps" && !isList:
			out[key] = v
		case key == "steps":
			out[key] = x.steps([]any{}, steps, at.at("steps"), "steps", ps, nil)
		default:
			out[key] = x.fill(v, at.at(key))
		}
	}
	return out
}

// nested are the steps that hold steps.
var nested = []string{"concurrently", "sequence"}

// steps appends a list of steps that stands at a place to out; to is the path of out in the
// scenario, chain the fragments that are being expanded.
func (x *expander) steps(out, list []any, at place, to string, ps *places, chain []string) []any {
	for i, item := range list {
		here := at.at(strconv.Itoa(i))
		step, _ := item.(map[string]any)
		if use, ok := x.asUse(step, here); ok {
			out = x.use(out, use, here, to, ps, chain)
			continue
		}
		path := to + "." + strconv.Itoa(len(out))
		ps.steps[path] = here
		out = append(out, x.step(item, step, here, path, ps, chain))
	}
	return out
}

// step fills in one step, and expands the steps inside of it. Which step it is, and the list
// of steps inside, no parameter can say: the schema refuses what is left of such a one.
func (x *expander) step(item any, step map[string]any, here place, path string, ps *places, chain []string) any {
	if step == nil {
		return item
	}
	out := make(map[string]any, len(step))
	for key, v := range step {
		inner, isList := v.([]any)
		switch {
		case !slices.Contains(nested, key):
			out[key] = x.fill(v, here.at(key))
		case isList && len(step) == 1:
			out[key] = x.steps([]any{}, inner, here.at(key), path+"."+key, ps, chain)
		default:
			out[key] = v
		}
	}
	return out
}

// asUse recognises a use step that can be expanded, and fills it in; any other is left to the
// schema.
func (x *expander) asUse(step map[string]any, here place) (map[string]any, bool) {
	if _, has := step["use"]; !has || len(step) != 1 {
		return nil, false
	}
	use, ok := x.fill(step["use"], here.at("use")).(map[string]any)
	_, named := use["fragment"].(string)
	if with, has := use["with"]; has {
		_, isMap := with.(map[string]any)
		ok = ok && isMap
	}
	for key := range use {
		ok = ok && (key == "fragment" || key == "with")
	}
	return use, ok && named
}

// checkRuntime refuses {{ns3}} and {{sink.x}} where the scenario has no such namespace or
// sink: the run would leave them as they are. The description of a system has checks of its own.
func (x *expander) checkRuntime(v any, path []string, top map[string]any, ps *places) {
	switch t := v.(type) {
	case map[string]any:
		for key, inner := range t {
			if len(path) > 0 || key != "system" {
				x.checkRuntime(inner, append(slices.Clone(path), key), top, ps)
			}
		}
	case []any:
		for i, inner := range t {
			x.checkRuntime(inner, append(slices.Clone(path), strconv.Itoa(i)), top, ps)
		}
	case string:
		for _, m := range placeholder.FindAllStringSubmatch(t, -1) {
			x.checkOne(m[1], ps.find(path), top)
		}
	}
}

func (x *expander) checkOne(name string, at place, top map[string]any) {
	needs, _ := top["needs"].(map[string]any)
	var sinks []string
	if list, ok := top["sinks"].([]any); ok {
		for _, sink := range list {
			sinks = append(sinks, fmt.Sprint(sink))
		}
	}
	if sink, is := strings.CutPrefix(name, "sink."); is && !slices.Contains(sinks, sink) {
		x.refuse(at.problem(fmt.Sprintf("there is no sink %q", sink), orElse(nearest.Hint(sink, sinks), fmt.Sprintf("write sinks: [%s]", sink))))
	}
	if !numberedNamespace.MatchString(name) {
		return
	}
	have := 1
	if n, err := strconv.Atoi(fmt.Sprint(needs["namespaces"])); err == nil {
		have = n
	}
	if want, err := strconv.Atoi(strings.TrimPrefix(name, "ns")); err == nil && want > have {
		x.refuse(at.problem(fmt.Sprintf("there is no {{%s}}: needs.namespaces is %d", name, have), fmt.Sprintf("write needs: {namespaces: %d}", want)))
	}
}
