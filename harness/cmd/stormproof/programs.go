package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/suite"
	"github.com/stormproof/stormproof/harness/system"
)

// programs builds what the scenarios start as programs, into the run's folder, and says why.
func programs(cmd *cobra.Command, choice string, list []*scenario.Scenario, dir string) (map[string]string, error) {
	out := map[string]string{}
	why, err := gatewayReason(choice, list)
	if err != nil {
		return nil, err
	}
	if why != "" {
		root, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("finding the source tree: %w", err)
		}
		if out[suite.SystemProgram], err = compile(cmd, gatewaySource(root), filepath.Join(dir, "programs", "gateway"), why); err != nil {
			return nil, err
		}
	}
	for _, s := range list {
		if s.System == nil || out[s.System.Key()] != "" {
			continue
		}
		if err := ownProgram(cmd, s, dir, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ownProgram gets the program of a scenario's own system, where it is to be built.
func ownProgram(cmd *cobra.Command, s *scenario.Scenario, dir string, out map[string]string) (err error) {
	key := s.System.Key()
	switch {
	case s.System.Program != "":
		if out[key], err = binaries.Alertmanager(cmd.Context(), "", cmd.ErrOrStderr()); err != nil {
			return environment.Unavailable("Alertmanager", err)
		}
	case s.System.Source() != nil:
		path := filepath.Join(dir, "programs", fmt.Sprintf("system-%d", len(out)+1))
		out[key], err = compile(cmd, *s.System.Source(), path, s.ID+" runs it")
	}
	return err
}

func compile(cmd *cobra.Command, source system.Source, path, why string) (string, error) {
	begin := time.Now()
	if err := system.Build(cmd.Context(), source, path); err != nil {
		return "", environment.Unavailable("the system as a program (it needs go on PATH and the source tree)", err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "environment: system   %-10s because %s (%s, built in %.1f s)\n", "binary", why, source.Package, time.Since(begin).Seconds())
	return path, nil
}

// usesRedis reports whether any of the scenarios does.
func usesRedis(list []*scenario.Scenario) bool {
	return slices.ContainsFunc(list, (*scenario.Scenario).UsesRedis)
}

// gatewayReason says why the gateway must be a program of its own; "" when it need not be.
func gatewayReason(choice string, list []*scenario.Scenario) (string, error) {
	for _, s := range list {
		if n := s.Needs.System; choice == scenario.Process && (n == scenario.Binary || n == scenario.Cluster) {
			return "", usageError{fmt.Errorf("%s needs the gateway outside of the harness (needs.system: %s); leave --system out, or choose other scenarios", s.ID, n)}
		}
	}
	if choice == scenario.Binary {
		return "--system binary asks for it", nil
	}
	for _, s := range list {
		if s.Needs.System == scenario.Binary {
			return s.ID + " kills it", nil
		}
	}
	return "", nil
}

// podReason says why the gateway must run in the cluster; "" when it need not.
func podReason(choice string, list []*scenario.Scenario) string {
	for _, s := range list {
		if s.System != nil || s.Needs.System != scenario.Cluster {
			continue
		}
		if choice == scenario.Cluster {
			return "--system cluster asks for it"
		}
		return s.ID + " needs it there"
	}
	return ""
}
