package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/nearest"
)

// FragmentsDir is the name of folders whose files are fragments and not scenarios.
const FragmentsDir = "fragments"

// Fragment is a file of steps that scenarios share by a step `use`. A parameter with a
// value has it as its default; one without must be given.
type Fragment struct {
	Params map[string]any `yaml:"params,omitempty" json:"params,omitempty" jsonschema_description:"Parameters and their defaults; one without a value (name:) must be given by every use."`
	Steps  []Step         `yaml:"steps" json:"steps" jsonschema:"minItems=1" jsonschema_description:"The steps that take the place of the step use, in order."`
}

// fragment is a file that was read.
type fragment struct {
	src    *source
	params map[string]any
	steps  []any
	used   map[string]bool
}

// use puts the steps of a fragment in the place of a use step. Inside of concurrently they
// stay together, one after the other.
func (x *expander) use(out []any, use map[string]any, here place, to string, ps *places, chain []string) []any {
	name, _ := use["fragment"].(string)
	with, _ := use["with"].(map[string]any)
	path := here.sibling(name)
	if slices.Contains(chain, path) || path == filepath.Clean(x.root.src.name) {
		names := append(slices.Clone(chain[max(0, slices.Index(chain, path)):]), path)
		x.refuse(here.at("use", "fragment").problem("a fragment cannot use itself: "+strings.Join(names, " -> "), "break the circle: move what both need into a third file"))
		return out
	}
	f := x.fragment(path, here.at("use", "fragment"))
	if f == nil {
		return out
	}
	at := place{src: f.src, via: &here, scope: &scope{values: x.arguments(f, name, with, here), used: f.used}}
	chain = append(slices.Clone(chain), path)
	if strings.HasSuffix(to, ".concurrently") && len(f.steps) > 1 {
		step := to + "." + strconv.Itoa(len(out))
		ps.steps[step] = here
		return append(out, map[string]any{"sequence": x.steps([]any{}, f.steps, at.at("steps"), step+".sequence", ps, chain)})
	}
	return x.steps(out, f.steps, at.at("steps"), to, ps, chain)
}

// arguments are the parameters of one use: what it gives, over the defaults.
func (x *expander) arguments(f *fragment, name string, with map[string]any, here place) map[string]any {
	out := map[string]any{}
	for param, v := range f.params {
		given, has := with[param]
		switch {
		case has:
			out[param] = given
		case v != nil:
			out[param] = v
		default:
			x.refuse(here.at("use").problem(fmt.Sprintf("%s needs the parameter %s", name, param), fmt.Sprintf("add with: {%s: ...}", param)))
			out[param] = ""
		}
	}
	for _, param := range sortedKeys(with) {
		if _, declared := f.params[param]; !declared {
			suggestion := nearest.Hint(param, sortedKeys(f.params))
			if len(f.params) == 0 {
				suggestion = "remove it: the fragment declares no params"
			}
			x.refuse(here.at("use", "with", param).problem(fmt.Sprintf("%s has no parameter %s", name, param), suggestion))
		}
	}
	return out
}

// fragment reads a file once; nil when it is no fragment, and then the problem is noted.
func (x *expander) fragment(path string, here place) *fragment {
	if f, known := x.files[path]; known {
		return f
	}
	x.files[path] = nil
	x.all = append(x.all, path)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		suggestion := "the path counts from the folder of this file"
		if near := nearest.Word(filepath.Base(path), yamlFiles(filepath.Dir(path))); near != "" {
			suggestion = fmt.Sprintf("did you mean %q? The path counts from the folder of this file", near)
		}
		x.refuse(here.problem("there is no file "+path, suggestion))
		return nil
	}
	if err != nil {
		x.refuse(here.problem("the fragment cannot be read: "+err.Error(), "name a YAML file with params and steps"))
		return nil
	}
	f, problems := parseFragment(path, b)
	via := here
	via.path = via.path[:len(via.path)-2]
	for _, p := range problems {
		p.Chain = place{via: &via}.chain()
		x.refuse(p)
	}
	if len(problems) > 0 {
		return nil
	}
	x.checkParams(f.params, place{src: f.src, path: []string{"params"}})
	x.files[path] = f
	return f
}

// parseFragment reads the outer form of a fragment; its steps are checked where they are used.
func parseFragment(name string, b []byte) (*fragment, Problems) {
	src, value, err := parseSource(name, b, "fragment")
	var problems Problems
	if errors.As(err, &problems) {
		return nil, problems
	}
	at := place{src: src}
	top, ok := value.(map[string]any)
	if !ok {
		return nil, Problems{at.problem("a fragment file is a mapping", "write params: and steps:")}
	}
	for _, key := range sortedKeys(top) {
		if key != "params" && key != "steps" {
			problems = append(problems, at.at(key).problem(fmt.Sprintf("there is no field %q in a fragment", key), nearest.Hint(key, []string{"params", "steps"})))
		}
	}
	f := &fragment{src: src, used: map[string]bool{}}
	f.params, ok = top["params"].(map[string]any)
	if _, has := top["params"]; has && !ok && top["params"] != nil {
		problems = append(problems, at.at("params").problem("params is not a mapping", "write for example params: {pod: , severity: critical}"))
	}
	if f.steps, ok = top["steps"].([]any); !ok || len(f.steps) == 0 {
		problems = append(problems, at.at("steps").problem("a fragment needs steps", "write steps: and below it one list item a step"))
	}
	return f, problems
}

func yamlFiles(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if isYAML(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}
