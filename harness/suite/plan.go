package suite

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/scenario"
)

// Roles in which the executable can be started, by environment variable RoleVariable.
const (
	// RoleVariable selects a role; PlanVariable names the plan's file.
	RoleVariable = "STORMPROOF_ROLE"
	PlanVariable = "STORMPROOF_PLAN"

	roleCommand = "ginkgo"
	roleSpecs   = "specs"
)

// SystemProgram is the key of Plan.Programs for the system that the program wires in.
const SystemProgram = "system"

// Plan is what every process of a run must know.
type Plan struct {
	// RunID is unique on this machine and short: it is part of namespaces and keys.
	RunID string `json:"runID"`
	Seed  int64  `json:"seed"`
	// Files are the scenario files to run.
	Files []string `json:"files"`
	// Environment is the path of the environment's description.
	Environment string `json:"environment"`
	// Dir receives results, histories and logs.
	Dir string `json:"dir"`
	// Alertmanager is the path of the real program, "" when it could not be had.
	Alertmanager string `json:"alertmanager"`
	// System is binary or cluster where every scenario that can shall run its gateway so.
	System string `json:"system,omitempty"`
	// Pods is where the system can run in the cluster, nil where no scenario wants it.
	Pods *Pods `json:"pods,omitempty"`
	// Programs are the paths of what was built for this run; SystemProgram is the gateway.
	Programs map[string]string `json:"programs,omitempty"`
	// Root is the folder that paths are shown relative to, and where Replay works.
	Root string `json:"root"`
	// Replay begins the command that runs a scenario again, for example
	// "bin/stormproof run --redis process".
	Replay string `json:"replay"`
	Keep   bool   `json:"keep"`
	// Case is the only case to run of each scenario, "" for all.
	Case string `json:"case,omitempty"`
	// Output is the folder of reports as it was typed; "" is "reports".
	Output string `json:"output,omitempty"`
}

// Pods is an image and the node that has it.
type Pods struct {
	Image string       `json:"image"`
	Node  cluster.Node `json:"node"`
}

// Apply narrows a loaded scenario to what the plan asks for.
func (p Plan) Apply(s *scenario.Scenario) (*scenario.Scenario, error) {
	if p.Case != "" {
		only, err := s.Only(p.Case)
		if err != nil {
			return nil, err
		}
		s = only
	}
	if p.System == scenario.Binary || p.System == scenario.Cluster {
		s.RunAs(p.System)
	}
	return s, nil
}

func (p Plan) write() (string, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encoding the run's plan: %w", err)
	}
	path := filepath.Join(p.Dir, "plan.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return "", fmt.Errorf("writing the run's plan: %w", err)
	}
	return path, nil
}

func readPlan(path string) (Plan, error) {
	var p Plan
	b, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("reading the run's plan: %w", err)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("reading the run's plan %s: %w", path, err)
	}
	return p, nil
}
