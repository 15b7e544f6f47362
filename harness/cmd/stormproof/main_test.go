package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const soundScenario = `id: STO-90
title: a sound scenario
category: storm
promises: [P1]
steps:
  - send: {id: one, alerts: [{labels: {alertname: A}}], answers: {201: 1}}
`

// inFolder runs the test in an empty folder with a catalogue of one scenario.
func inFolder(t *testing.T, content string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	path := filepath.Join(dir, "scenarios", "storm", "sto-90-sound.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		args    string
		want    int
	}{
		"a sound file lints":                    {soundScenario, "lint", exitPass},
		"listing what would run":                {soundScenario, "run --dry-run", exitPass},
		"a file with an unknown field":          {strings.Replace(soundScenario, "alerts:", "alert:", 1), "lint", exitUsage},
		"running a malformed file":              {"id: [", "run", exitUsage},
		"an unknown flag":                       {soundScenario, "run --retry 3", exitUsage},
		"an unknown verb":                       {soundScenario, "fly", exitUsage},
		"a file that is not there":              {soundScenario, "run nowhere.yaml", exitUsage},
		"a bad value":                           {soundScenario, "run --progress loud", exitUsage},
		"a topology that does not exist":        {soundScenario, "run --redis-topology ring", exitUsage},
		"sentinels of an embedded server":       {soundScenario, "run --cluster kind --redis embedded --redis-topology sentinel", exitEnvironment},
		"judging nothing":                       {soundScenario, "judge nowhere", exitUsage},
		"nothing selected":                      {soundScenario, "run --id STO-91", exitNothing},
		"no seeded bug selected":                {soundScenario, "mutants --id none", exitNothing},
		"a trend without runs":                  {soundScenario, "report trend", exitNothing},
		"the trend of what is no report":        {soundScenario, "report trend scenarios", exitUsage},
		"comparing what is no report":           {soundScenario, "report diff scenarios scenarios", exitUsage},
		"opening what is not there":             {soundScenario, "report open", exitUsage},
		"a forced environment that is not here": {soundScenario, "run --cluster kind --redis container", exitEnvironment},
	} {
		t.Run(name, func(t *testing.T) {
			inFolder(t, c.content)
			if got := execute(context.Background(), strings.Fields(c.args)); got != c.want {
				t.Errorf("stormproof %s: exit %d, want %d", c.args, got, c.want)
			}
		})
	}
}

func TestAPanicIsAFailureAndTakesDownWhatIsUp(t *testing.T) {
	down := false
	root := newRoot()
	root.SetErr(t.Output())
	root.AddCommand(&cobra.Command{Use: "burst", RunE: func(*cobra.Command, []string) error {
		defer func() { down = true }()
		panic("for this test")
	}})
	if got := executeRoot(t.Context(), root, []string{"burst"}); got != exitFail || !down {
		t.Errorf("exit %d, taken down: %t; want %d, true", got, down, exitFail)
	}
}

func TestAnInterruptIs130(t *testing.T) {
	inFolder(t, soundScenario)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := execute(ctx, []string{"run", "--cluster", "kind", "--redis", "container"}); got != exitInterrupted {
		t.Errorf("exit %d, want %d", got, exitInterrupted)
	}
}
