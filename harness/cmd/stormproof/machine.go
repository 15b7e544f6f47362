package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

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

// standing is what `up` leaves for `down`.
type standing struct {
	PID int `json:"pid"`
}

func standingPath() string { return filepath.Join(".stormproof", "up.json") }

func newUp() *cobra.Command {
	c := &common{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up cluster and Redis, say how to reach them, and hold them until Ctrl-C or `stormproof down`",
		RunE:  func(cmd *cobra.Command, _ []string) error { return upVerb(cmd, c) },
	}
	c.environmentFlags(cmd)
	return cmd
}

func upVerb(cmd *cobra.Command, c *common) (err error) {
	dir, err := filepath.Abs(filepath.Join(".stormproof", "up"))
	if err != nil {
		return fmt.Errorf("finding this folder: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "environment"), 0o755); err != nil {
		return fmt.Errorf("making the environment's folder: %w", err)
	}
	env, err := environment.Up(cmd.Context(), c.environment(cmd, dir))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), time.Minute)
		defer cancel()
		err = errors.Join(err, env.Down(ctx), os.Remove(standingPath()))
	}()
	b, err := json.Marshal(standing{PID: os.Getpid()})
	if err != nil {
		return fmt.Errorf("encoding the state: %w", err)
	}
	if err := os.WriteFile(standingPath(), b, 0o600); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	d := env.Describe()
	fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%s\nexport REDIS_ADDR=%s\nup; stop it with Ctrl-C or: stormproof down\n", d.Kubeconfig, d.Redis.Addr)
	<-cmd.Context().Done()
	return nil
}

func newDown() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop what `stormproof up` holds in this folder",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := os.ReadFile(standingPath())
			if errors.Is(err, os.ErrNotExist) {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing is up in this folder")
				return nil
			}
			var s standing
			if err == nil {
				err = json.Unmarshal(b, &s)
			}
			if err != nil {
				return fmt.Errorf("reading %s: %w", standingPath(), err)
			}
			if err := syscall.Kill(s.PID, syscall.SIGTERM); err != nil {
				return errors.Join(fmt.Errorf("stopping process %d of `stormproof up`: %w", s.PID, err), os.Remove(standingPath()))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "asked process %d to stop\n", s.PID)
			return nil
		},
	}
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
