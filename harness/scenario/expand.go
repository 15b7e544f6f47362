package scenario

import (
	"fmt"
	"maps"
	"regexp"
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

var caseName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)

// row is a line of the table of cases.
type row struct {
	name   string
	values map[string]any
}

// rows reads cases; without any there is one row without a name. What is no list of
// mappings is left to the schema.
func (x *expander) rows(top, params map[string]any) []row {
	list, _ := top["cases"].([]any)
	at := x.root.at("cases")
	var out []row
	columns := map[string]string{}
	seen := map[string]bool{}
	for i, item := range list {
		here := at.at(strconv.Itoa(i))
		line, ok := item.(map[string]any)
		name, isText := line["name"].(string)
		given, named := line["name"]
		switch {
		case !ok:
			continue
		case named && !isText:
			x.refuse(here.at("name").problem(fmt.Sprintf("a case's name is a text, and %v is %s", given, kindOf(given)), fmt.Sprintf("write name: \"%v\"", given)))
			continue
		case !named:
			x.refuse(here.problem("a case without a name", fmt.Sprintf("add name: case%d, or a better one; it appears in the report", i+1)))
			continue
		case !caseName.MatchString(name):
			x.refuse(here.at("name").problem(fmt.Sprintf("%q cannot be a case's name", name), "use up to 20 small letters, digits and dashes: it becomes part of namespaces and folders"))
		case seen[name]:
			x.refuse(here.at("name").problem(fmt.Sprintf("two cases are called %q", name), "give each its own name"))
		}
		seen[name] = true
		x.checkParams(line, here)
		for column := range line {
			columns[column] = name
		}
		out = append(out, row{name, line})
	}
	x.missingColumns(out, columns, params, at)
	if len(out) == 0 {
		return []row{{}}
	}
	return out
}

// missingColumns demands of each row what another row has and params does not give.
func (x *expander) missingColumns(rows []row, columns map[string]string, params map[string]any, at place) {
	for i, r := range rows {
		for _, column := range sortedKeys(columns) {
			_, has := r.values[column]
			if _, fallback := params[column]; !has && !fallback {
				x.refuse(at.at(strconv.Itoa(i)).problem(fmt.Sprintf("case %s has no %s, and case %s has", r.name, column, columns[column]),
					fmt.Sprintf("add %s to it, or a default to params", column)))
			}
		}
	}
}

// oneForAll are the fields that a scenario has once, whatever its cases.
var oneForAll = []string{"id", "title", "category", "promises", "kills", "rounds"}

// checkSame refuses a column of cases in a field that all cases share.
func (x *expander) checkSame(vs []variant) {
	for _, v := range vs[1:] {
		a, b := vs[0].value.(map[string]any), v.value.(map[string]any)
		for _, field := range oneForAll {
			if fmt.Sprint(a[field]) != fmt.Sprint(b[field]) {
				x.refuse(x.root.at(field).problem("all cases are one scenario and share its "+field, "write it without the columns of cases"))
			}
		}
	}
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

func (p Problem) same(q Problem) bool {
	return p.Error() == q.Error() && strings.Join(p.Chain, " ") == strings.Join(q.Chain, " ")
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
