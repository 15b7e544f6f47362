package catalogue

import (
	"fmt"
	"os"
	"slices"

	"github.com/goccy/go-yaml"
)

// Defect is one entry of the ledger: something that was wrong, found by running scenarios,
// the model or the gate, and mended since.
type Defect struct {
	// In is what was wrong: "gateway" or "harness".
	In string `yaml:"in"`
	// What it did, in a line.
	What string `yaml:"what"`
	// By is who found it: ids of scenarios, "model", "gate" or "fuzz".
	By []string `yaml:"by"`
	// Mended is the commit.
	Mended string `yaml:"mended"`
	// Seeded is the seeded bug that brings it back, "" where there is none: then the tree
	// before Mended shows it.
	Seeded string `yaml:"seeded"`
}

// Ledger reads the defects of a file. The error names what an entry lacks.
func Ledger(path string) ([]Defect, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	var out []Defect
	if err := yaml.UnmarshalWithOptions(b, &out, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("reading the ledger %s: %w", path, err)
	}
	for i, d := range out {
		if !slices.Contains([]string{"gateway", "harness"}, d.In) || d.What == "" || len(d.By) == 0 || d.Mended == "" {
			return nil, fmt.Errorf("%s: entry %d: in (gateway or harness), what, by and mended must all be set", path, i+1)
		}
	}
	return out, nil
}

// Again is the command that shows the defect.
func (d Defect) Again() string {
	if d.Seeded != "" {
		return "bin/stormproof mutants --id " + d.Seeded
	}
	return "git worktree add ../before " + d.Mended + "~1"
}
