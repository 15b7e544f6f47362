package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/suite"
	"github.com/stormproof/stormproof/harness/system"
)

// programs builds what the scenarios start as programs, into the run's folder, and says why.
func programs(cmd *cobra.Command, choice string, list []*scenario.Scenario, dir string) (map[string]string, error) {
	why, err := gatewayReason(choice, list)
	if err != nil || why == "" {
		return nil, err
	}
	root, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("finding the source tree: %w", err)
	}
	begin := time.Now()
	path := filepath.Join(dir, "programs", "gateway")
	if err := system.Build(cmd.Context(), gatewaySource(root), path); err != nil {
		return nil, environment.Unavailable("the gateway as a program (run stormproof in the source tree, with go on PATH)", err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "environment: system   binary     because %s (built in %.1f s)\n", why, time.Since(begin).Seconds())
	return map[string]string{suite.SystemProgram: path}, nil
}

// gatewayReason says why the gateway must be a program of its own; "" when it need not be.
func gatewayReason(choice string, list []*scenario.Scenario) (string, error) {
	for _, s := range list {
		if s.Needs.System == "binary" && choice == "process" {
			return "", usageError{fmt.Errorf("%s needs the gateway as a program of its own; leave --system out, or choose other scenarios", s.ID)}
		}
	}
	if choice == "binary" {
		return "--system binary asks for it", nil
	}
	for _, s := range list {
		if s.Needs.System == "binary" {
			return s.ID + " kills it", nil
		}
	}
	return "", nil
}
