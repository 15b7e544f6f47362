package suite

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/ginkgo/command"
	"github.com/onsi/ginkgo/v2/ginkgo/run"
	"github.com/onsi/ginkgo/v2/types"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/internal/containers"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/scenario/play"
	"github.com/stormproof/stormproof/harness/system"
)

// Wiring is what only the program that knows the system under test can give.
type Wiring struct {
	// System starts it inside this process; Binary starts it from a program.
	System system.Factory
	Binary func(program string) system.Factory
	// Pod says how it is configured and what it may do, of a Pod whose place is known.
	Pod      func(system.Pod) system.Factory
	Settings func(overrides map[string]any) (history.Begin, error)
	// Rules are what the system may do at Kubernetes, by its own manifest.
	Rules func() ([]rbacv1.PolicyRule, error)
}

// Serve plays the role that the environment variable demands; it returns false when there
// is none, and otherwise ends the process. Call it first in main.
func Serve(wiring Wiring) bool {
	switch os.Getenv(RoleVariable) {
	case roleCommand:
		serveCommand()
	case roleSpecs:
		os.Exit(serveSpecs(wiring))
	default:
		return false
	}
	return true
}

// serveCommand is the Ginkgo command line; its children are spec processes.
func serveCommand() {
	if err := os.Setenv(RoleVariable, roleSpecs); err != nil {
		fmt.Fprintln(os.Stderr, "stormproof:", err)
		os.Exit(1)
	}
	program := command.Program{Name: "ginkgo", Heading: "Ginkgo " + types.VERSION, DefaultCommand: run.BuildRunCommand()}
	program.RunAndExit(os.Args)
}

// outcome is the suite's *testing.T: all that Ginkgo needs of one.
type outcome struct{ failed bool }

func (o *outcome) Fail() { o.failed = true }

func serveSpecs(wiring Wiring) int {
	testing.Init()
	flag.Parse()
	plan, err := readPlan(os.Getenv(PlanVariable))
	if err == nil {
		err = register(plan, wiring)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stormproof:", err)
		return 1
	}
	var o outcome
	ginkgo.RunSpecs(&o, "scenarios")
	if o.failed {
		return 1
	}
	return 0
}

// NewHost is what the scenarios of one process share.
func NewHost(plan Plan, wiring Wiring) (*play.Host, error) {
	description, err := environment.Load(plan.Environment)
	if err != nil {
		return nil, err
	}
	host := &play.Host{Environment: description, System: wiring.System, Settings: wiring.Settings,
		Alertmanager: plan.Alertmanager, RunID: plan.RunID, Dir: filepath.Join(plan.Dir, "scenarios"),
		Seed: plan.Seed, Keep: plan.Keep, Root: plan.Root, Replay: plan.Replay}
	host.Programs = plan.Programs
	if wiring.Rules != nil {
		if host.Rules, err = wiring.Rules(); err != nil {
			return nil, err
		}
	}
	if program := plan.Programs[SystemProgram]; program != "" {
		host.Binary = wiring.Binary(program)
	}
	if plan.Pods == nil {
		return host, nil
	}
	if err := containers.At(plan.Pods.Node.DockerHost); err != nil {
		return nil, err
	}
	pod := system.Pod{Image: plan.Pods.Image, Node: plan.Pods.Node}
	if pod.Config, err = description.RESTConfig(); err != nil {
		return nil, err
	}
	host.Cluster, host.Node = wiring.Pod(pod), pod.Node
	return host, nil
}

// register turns every scenario into a spec.
func register(plan Plan, wiring Wiring) error {
	host, err := NewHost(plan, wiring)
	if err != nil {
		return err
	}
	for _, file := range plan.Files {
		s, err := scenario.Load(file)
		if err != nil {
			return err
		}
		if s, err = plan.Apply(s); err != nil {
			return err
		}
		decorators := []any{ginkgo.Label(s.Category, s.ID), ginkgo.NodeTimeout(10 * time.Minute)}
		if s.Serial {
			decorators = append(decorators, ginkgo.Serial)
		}
		ginkgo.It(s.ID+" "+s.Title, decorators, func(ctx ginkgo.SpecContext) {
			result := play.Run(ctx, host, s)
			if err := writeResult(host.Dir, result); err != nil {
				ginkgo.Fail(err.Error())
			}
			if result.Status != report.Passed {
				ginkgo.Fail(string(result.Status) + ": " + result.Detail)
			}
		})
	}
	return nil
}

func resultPath(dir, id string) string { return filepath.Join(dir, id, "result.json") }

func writeResult(dir string, s report.Scenario) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the result of %s: %w", s.ID, err)
	}
	path := resultPath(dir, s.ID)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o600)); err != nil {
		return fmt.Errorf("writing the result of %s: %w", s.ID, err)
	}
	return nil
}
