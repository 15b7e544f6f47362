package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stormproof/stormproof/harness/internal/nearest"
	"github.com/stormproof/stormproof/harness/system"
)

// SystemFile is the name under which a folder of scenarios keeps the system that they share.
const SystemFile = "system.yaml"

// Formats of the alerts of a send step.
const (
	FormatWebhook = "alertmanager-webhook"
	FormatAPI     = "alertmanager-api"
)

// System describes a service of one's own in place of the gateway. In a scenario file it
// may also be the path of a file that holds it, so that a folder of scenarios shares one.
type System struct {
	// Where it comes from: exactly one of these.
	Build   string `yaml:"build,omitempty" json:"build,omitempty" jsonschema_description:"Go package to build and start: a folder relative to this file, for example ./service."`
	Program string `yaml:"program,omitempty" json:"program,omitempty" jsonschema:"enum=alertmanager" jsonschema_description:"A program that Stormproof itself builds, in a pinned version."`
	Command string `yaml:"command,omitempty" json:"command,omitempty" jsonschema_description:"Executable to start: a path relative to this file when it holds a slash, else looked up on PATH."`
	URL     string `yaml:"url,omitempty" json:"url,omitempty" jsonschema:"pattern=^https?://" jsonschema_description:"A service that somebody else runs; it is never started, stopped or cleaned."`

	Args  []string          `yaml:"args,omitempty" json:"args,omitempty" jsonschema_description:"Arguments; as in env and files, {{dir}} {{listen}} {{port}} {{admin}} {{kubeconfig}} {{redis}} {{redisPassword}} {{redisPrefix}} {{ns}} {{replica}} {{sink.NAME}} are filled in."`
	Env   map[string]string `yaml:"env,omitempty" json:"env,omitempty" jsonschema_description:"Environment variables, added to the harness's own."`
	Files map[string]string `yaml:"files,omitempty" json:"files,omitempty" jsonschema_description:"Files by relative name, written into the replica's folder {{dir}} before each start."`

	Ready   *Ready       `yaml:"ready,omitempty" json:"ready,omitempty" jsonschema_description:"How it says that it can work. Default: it listens."`
	Path    string       `yaml:"path,omitempty" json:"path,omitempty" jsonschema:"pattern=^/" jsonschema_description:"Where send posts to by default. Default /."`
	Format  string       `yaml:"format,omitempty" json:"format,omitempty" jsonschema:"enum=alertmanager-webhook,enum=alertmanager-api" jsonschema_description:"How the alerts of a send are encoded: as Alertmanager's webhook (default), or as the array that its API v2 takes. For any other body see send.json."`
	Clock   *SystemClock `yaml:"clock,omitempty" json:"clock,omitempty" jsonschema_description:"The request that moves its clock; without it the step advance is not possible."`
	Metrics *Metrics     `yaml:"metrics,omitempty" json:"metrics,omitempty" jsonschema_description:"Where its Prometheus metrics are. Default: /metrics on the private listener, where args, env or files mention {{admin}}, else on the public one."`

	Promises []string      `yaml:"promises,omitempty" json:"promises,omitempty" jsonschema_description:"Which of P1 to P9 the judge holds it to. P7, isolation, is always judged. P1 to P5 are about RemediationRequests."`
	Objects  []ObjectsKind `yaml:"objects,omitempty" json:"objects,omitempty" jsonschema_description:"Kinds of namespaced objects that it writes: expressions see them as objects, and they are removed at the end."`

	// File holds the description; what is relative in it is relative to this file.
	File string `yaml:"-" json:"-"`
	// shared is the path of another file, as the scenario gives it.
	shared string
}

// Ready is a probe.
type Ready struct {
	Path   string `yaml:"path" json:"path" jsonschema:"pattern=^/"`
	Status int    `yaml:"status,omitempty" json:"status,omitempty" jsonschema_description:"Default 200."`
}

// SystemClock is the request that sets the offset of a clock from the wall clock.
type SystemClock struct {
	Method string `yaml:"method,omitempty" json:"method,omitempty" jsonschema_description:"Default POST."`
	Path   string `yaml:"path" json:"path" jsonschema:"pattern=^/" jsonschema_description:"On the private listener, where there is one; {{offset}} is for example 5m1s."`
}

// Metrics is a Prometheus endpoint.
type Metrics struct {
	Path     string `yaml:"path,omitempty" json:"path,omitempty" jsonschema:"pattern=^/"`
	Listener string `yaml:"listener,omitempty" json:"listener,omitempty" jsonschema:"enum=public,enum=admin"`
}

// ObjectsKind picks objects of the scenario's namespaces.
type ObjectsKind struct {
	APIVersion string `yaml:"apiVersion" json:"apiVersion"`
	Kind       string `yaml:"kind" json:"kind"`
	Selector   string `yaml:"selector,omitempty" json:"selector,omitempty" jsonschema_description:"Label selector, for kinds that others write, too."`
}

// UnmarshalYAML reads the description, or the path of a file that holds it.
func (s *System) UnmarshalYAML(decode func(any) error) error {
	var path string
	if decode(&path) == nil {
		s.shared = path
		return nil
	}
	type plain System
	return decode((*plain)(s))
}

// JSONSchemaExtend allows a path in place of the description.
func (System) JSONSchemaExtend(s *jsonschema.Schema) {
	s.Type = ""
	s.Extras = map[string]any{"type": []string{"object", "string"}}
}

// Source is the program to build, nil when there is none.
func (s *System) Source() *system.Source {
	if s.Build == "" {
		return nil
	}
	return &system.Source{Dir: filepath.Dir(s.File), Package: s.Build}
}

// Key names the program among those that were built for a run.
func (s *System) Key() string {
	if s.Build != "" {
		return "build " + filepath.Join(filepath.Dir(s.File), s.Build)
	}
	return "program " + s.Program
}

// Texts are all places where a placeholder may stand.
func (s *System) Texts() []string {
	out := slices.Clone(s.Args)
	for _, m := range []map[string]string{s.Env, s.Files} {
		for _, v := range m {
			out = append(out, v)
		}
	}
	return out
}

// UsesRedis reports whether a scenario needs a Redis to be there: the gateway always does,
// another system when it mentions it.
func (s *Scenario) UsesRedis() bool {
	if s.System == nil || s.Needs.Redis != "" || s.Needs.RedisDown {
		return true
	}
	return slices.ContainsFunc(system.Mentioned(s.System.Texts()...), func(name string) bool {
		return name == "redis" || name == "redisPassword"
	})
}

// resolveSystem reads the file that the scenario names instead of a description.
func (s *Scenario) resolveSystem() error {
	if s.System == nil {
		return nil
	}
	file := s.File
	if s.System.shared != "" {
		file = filepath.Join(filepath.Dir(s.File), s.System.shared)
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			suggestion := "write the description itself, or the path of a file relative to this one"
			if near := nearest.Word(filepath.Base(file), yamlFiles(filepath.Dir(file))); near != "" {
				suggestion = fmt.Sprintf("did you mean %q? The path counts from the folder of this file", near)
			}
			return Problems{s.place("system").problem("there is no file "+file, suggestion)}
		}
		shared, err := readSystem(file)
		var unreadable *fs.PathError
		if errors.As(err, &unreadable) {
			return Problems{s.place("system").problem("the description cannot be read: "+unreadable.Error(), "name a YAML file, by its path relative to this one")}
		}
		if err != nil {
			return err
		}
		s.System = shared
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("finding %s: %w", file, err)
	}
	s.System.File = absolute
	return nil
}

func readSystem(path string) (*System, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the description of a system: %w", err)
	}
	src, value, err := parseSource(path, b, "system")
	if err != nil {
		return nil, err
	}
	if _, ok := value.(map[string]any); !ok {
		return nil, Problems{{File: path, Line: 1, Col: 1, Message: "a system file holds exactly one mapping", Suggestion: "write for example build: ./service"}}
	}
	schema, err := systemSchema()
	if err != nil {
		return nil, err
	}
	if err := schema.Validate(value); err != nil {
		var invalid *validator.ValidationError
		if !errors.As(err, &invalid) {
			return nil, fmt.Errorf("validating %s: %w", path, err)
		}
		return nil, schemaProblems(&places{root: place{src: src}}, invalid)
	}
	s := &System{}
	if err := yaml.UnmarshalWithOptions(b, s, yaml.Strict()); err != nil {
		return nil, Problems{syntaxProblem(path, b, err)}
	}
	return s, nil
}

// systemSchema is the part of the scenario's schema that describes a system.
var systemSchema = sync.OnceValues(func() (*validator.Schema, error) { return compileSchema("#/$defs/System") })

// system checks the description of a system of one's own.
func (l *linter) system() {
	s := l.scenario
	if s.System == nil {
		l.catalogue()
		return
	}
	given := 0
	for _, from := range []string{s.System.Build, s.System.Program, s.System.Command, s.System.URL} {
		if from != "" {
			given++
		}
	}
	if given != 1 {
		l.add("system", fmt.Sprintf("%d of build, program, command and url are given", given), "write exactly one: where the service comes from")
	}
	l.systemFiles()
	if s.Needs.System == Cluster {
		l.add("needs.system", "only the gateway can run in the cluster, and system names another service", "leave needs.system out")
	}
	if len(s.Gateway) > 0 {
		l.add("gateway", "these are settings of the gateway, and system names another service", "put them into system.args, env or files")
	}
	known := sortedKeys(system.Placeholders)
	for _, name := range system.Mentioned(s.System.Texts()...) {
		sink, isSink := strings.CutPrefix(name, "sink.")
		switch {
		case isSink && !contains(s.Sinks, sink):
			l.add("system", fmt.Sprintf("there is no sink %q", sink), fmt.Sprintf("write sinks: [%s] in the scenario", sink))
		case !isSink && !contains(known, name):
			l.add("system", fmt.Sprintf("there is no placeholder {{%s}}", name), nearest.Hint(name, known))
		}
	}
}

// systemFiles checks that what is built or started is there.
func (l *linter) systemFiles() {
	own := l.scenario.System
	for _, of := range []struct{ field, written string }{{"build", own.Build}, {"command", own.Command}} {
		path := of.written
		if path == "" || !strings.Contains(path, "/") {
			continue // a command without a slash is looked up on PATH
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(own.File), path)
		}
		if _, err := os.Stat(path); err != nil {
			l.add("system."+of.field, "there is no "+of.written, "the path counts from the folder of the file that describes the system")
		}
	}
}

// catalogue holds the gateway's own scenarios to the rules of its catalogue.
func (l *linter) catalogue() {
	s := l.scenario
	var names []string
	for _, c := range Categories {
		names = append(names, c.Name)
		if c.Name == s.Category && !strings.HasPrefix(s.ID, c.Prefix+"-") {
			l.add("id", fmt.Sprintf("ids of category %s begin with %s-", s.Category, c.Prefix), fmt.Sprintf("write for example id: %s-31, or another category", c.Prefix))
		}
	}
	if !contains(names, s.Category) {
		l.add("category", fmt.Sprintf("%q is no category of the gateway's catalogue", s.Category), nearest.Hint(s.Category, names))
	}
	if len(s.Promises) == 0 {
		l.add("promises", "missing", "name the promises that this scenario aims at, for example promises: [P1]")
	}
}

// possible checks that a step can be done with the scenario's own system.
func (l *linter) possible() {
	if l.scenario.System == nil {
		return
	}
	for _, v := range l.steps {
		l.systemStep(v.path, v.Step, l.scenario.System)
	}
}

func (l *linter) systemStep(at string, s *Step, own *System) {
	switch {
	case s.Advance != nil && own.Clock == nil:
		l.add(at+".advance", "this system has no clock that could be moved", "describe it: system.clock, or shorten the service's times in its configuration")
	case own.URL != "" && (s.Restart != nil || s.Terminate != nil || s.needsProgram() != ""):
		l.add(at, "a service at a URL belongs to somebody else and is never stopped", "start it with system.build or system.command")
	}
}
