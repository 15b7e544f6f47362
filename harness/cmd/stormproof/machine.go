package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/report"
)

func newDoctor() *cobra.Command {
	c := &common{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is there, what is missing, and the command that fixes it",
		RunE: func(cmd *cobra.Command, _ []string) error {
			missing := 0
			for _, f := range environment.Doctor(cmd.Context(), c.environment(cmd, "")) {
				if f.State == environment.Missing {
					missing++
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%-9s %-22s %s\n", f.State, f.Part, f.What)
				if f.Why != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "%32s %s\n", "", f.Why)
				}
				if f.Fix != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "%32s fix: %s\n", "", f.Fix)
				}
			}
			if missing > 0 {
				return quietError{exitEnvironment}
			}
			return nil
		},
	}
	c.environmentFlags(cmd)
	return cmd
}

// environmentFacts is what the report says of the machine and the code.
func environmentFacts(ctx context.Context, d environment.Description) report.Environment {
	git := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		if err != nil {
			return "" // not a checkout: the report says nothing of a commit
		}
		return strings.TrimSpace(string(out))
	}
	return report.Environment{Choices: d.Choices, Commit: git("rev-parse", "--short=12", "HEAD"),
		Tree: git("rev-parse", "HEAD^{tree}"), Dirty: git("status", "--porcelain") != "",
		Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(),
		Race: raceEnabled, StartedMS: d.StartedMS, StartRetries: d.StartRetries}
}
