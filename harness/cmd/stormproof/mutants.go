package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/mutation"
)

const mutantsDir = "fixtures/mutants"

// knownMutants names the seeded bugs that a scenario may claim to kill.
func knownMutants() []string {
	paths, err := filepath.Glob(filepath.Join(mutantsDir, "*.yaml"))
	if err != nil {
		return nil // the pattern is constant and well-formed
	}
	var out []string
	for _, p := range paths {
		out = append(out, strings.TrimSuffix(filepath.Base(p), ".yaml"))
	}
	return out
}

func newMutants() *cobra.Command {
	var only []string
	var sample int
	var seed int64
	c := &common{}
	cmd := &cobra.Command{
		Use:   "mutants",
		Short: "Put each seeded bug into the gateway and demand that its scenarios turn red",
		RunE:  func(cmd *cobra.Command, _ []string) error { return mutantsVerb(cmd, c, only, sample, seed) },
	}
	cmd.Flags().StringSliceVar(&only, "id", nil, "only these mutants")
	cmd.Flags().IntVar(&sample, "sample", 0, "only so many, drawn by --seed; 0: all")
	cmd.Flags().Int64Var(&seed, "seed", 0, "seed of --sample; 0 takes one from the clock and prints it")
	c.environmentFlags(cmd)
	return cmd
}

// draw takes a sample of a list, in the list's order.
func draw(list []mutation.Mutant, n int, seed int64) []mutation.Mutant {
	if n <= 0 || n >= len(list) {
		return list
	}
	picked := rand.New(rand.NewPCG(uint64(seed), 0)).Perm(len(list))[:n]
	slices.Sort(picked)
	out := make([]mutation.Mutant, n)
	for i, at := range picked {
		out[i] = list[at]
	}
	return out
}

func mutantsVerb(cmd *cobra.Command, c *common, only []string, sample int, seed int64) (err error) {
	list, err := mutation.Load(mutantsDir)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(m mutation.Mutant) bool { return len(only) > 0 && !slices.Contains(only, m.Name) })
	if len(list) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "stormproof: no mutant selected; they are the files of "+mutantsDir)
		return quietError{exitNothing}
	}
	if sample > 0 {
		if seed == 0 {
			seed = time.Now().UnixNano() % 100_000_000
		}
		fmt.Fprintf(cmd.OutOrStdout(), "mutants: a sample of %d of %d, seed %d\n", min(sample, len(list)), len(list), seed)
		list = draw(list, sample, seed)
	}
	root, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	dir, err := os.MkdirTemp("", "stormproof-mutants-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "mutants.log"))
	if err != nil {
		return fmt.Errorf("creating the log: %w", err)
	}
	var survivors, blind []string
	tried := 0
	options := mutation.Options{Root: root, Dir: dir, System: c.system, Log: log}
	err = withStanding(cmd, c, func() error {
		return mutation.KillAll(cmd.Context(), list, options, func(result mutation.Result, err error) error {
			if err != nil {
				return fmt.Errorf("%w; read %s", err, log.Name())
			}
			tried++
			state := "killed"
			if !result.Killed {
				state = "SURVIVED"
				survivors, blind = append(survivors, result.Name), append(blind, result.KilledBy...)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d/%d  %-9s %-32s %s  %5.1fs  %s\n", tried, len(list), state, result.Name, result.Promise, result.Took.Round(100*time.Millisecond).Seconds(), result.Evidence)
			return nil
		})
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	fmt.Fprintf(cmd.OutOrStdout(), "mutants: %d of %d killed\n", len(list)-len(survivors), len(list))
	if len(survivors) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%v survived: %v can pass although the gateway is broken; read %s\n", survivors, blind, log.Name())
		return errors.Join(quietError{exitFail}, log.Close())
	}
	return errors.Join(log.Close(), os.RemoveAll(dir))
}
