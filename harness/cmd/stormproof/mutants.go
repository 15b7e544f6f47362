package main

import (
	"errors"
	"fmt"
	"io"
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

// mutantFlags are the verb's own.
type mutantFlags struct {
	common
	only   []string
	sample int
	again  bool
}

func newMutants() *cobra.Command {
	f := &mutantFlags{}
	cmd := &cobra.Command{
		Use:   "mutants",
		Short: "Put each seeded bug into the gateway and demand that its scenarios turn red",
		RunE:  func(cmd *cobra.Command, _ []string) error { return mutantsVerb(cmd, f) },
	}
	cmd.Flags().StringSliceVar(&f.only, "id", nil, "only these mutants")
	cmd.Flags().IntVar(&f.sample, "sample", 0, "only so many, drawn by --seed; 0: all")
	cmd.Flags().Int64Var(&f.seed, "seed", 0, "seed of --sample; 0 takes one from the clock and prints it")
	cmd.Flags().BoolVar(&f.again, "again", false, "try also those whose verdict is on record and of which nothing has changed since")
	f.environmentFlags(cmd)
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

func mutantsVerb(cmd *cobra.Command, f *mutantFlags) error {
	list, err := mutation.Load(mutantsDir)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(m mutation.Mutant) bool { return len(f.only) > 0 && !slices.Contains(f.only, m.Name) })
	if len(list) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "stormproof: no mutant selected; they are the files of "+mutantsDir)
		return quietError{exitNothing}
	}
	if f.sample > 0 {
		if f.seed == 0 {
			f.seed = time.Now().UnixNano() % 100_000_000
		}
		fmt.Fprintf(cmd.OutOrStdout(), "mutants: a sample of %d of %d, seed %d\n", min(f.sample, len(list)), len(list), f.seed)
		list = draw(list, f.sample, f.seed)
	}
	t := &trial{cmd: cmd, out: cmd.OutOrStdout(), all: len(list)}
	if t.root, err = os.Getwd(); err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	if t.sources, err = catalogueSources(); err != nil {
		return err
	}
	if !f.again {
		standing, err := mutantsOnRecord(list, t.root, t.sources)
		if err != nil {
			return err
		}
		list = slices.Concat(standing.Survived, standing.Untried)
		if t.killed = standing.Killed; t.killed > 0 {
			fmt.Fprintf(t.out, "mutants: %d of %d are on record as killed, and nothing of them has changed; --again tries them, too\n", t.killed, t.all)
		}
	}
	if len(list) > 0 {
		err = t.try(&f.common, list)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "mutants: %d of %d killed\n", t.killed, t.all)
	return nil
}

// trial is one call of the verb.
type trial struct {
	cmd     *cobra.Command
	out     io.Writer
	root    string
	sources map[string]string
	// all were asked for, killed of them are.
	all, killed int
}

// try puts mutants in, one after the other, and is red when one survives.
func (t *trial) try(c *common, list []mutation.Mutant) error {
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
	options := mutation.Options{Root: t.root, Dir: dir, System: c.system, Log: log}
	err = withStanding(t.cmd, c, func() error {
		return mutation.KillAll(t.cmd.Context(), list, options, func(r mutation.Result, err error) error {
			if err != nil {
				return fmt.Errorf("%w; read %s", err, log.Name())
			}
			tried++
			state := "killed"
			if r.Killed {
				t.killed++
			} else {
				state = "SURVIVED"
				survivors, blind = append(survivors, r.Name), append(blind, r.KilledBy...)
			}
			fmt.Fprintf(t.out, "%d/%d  %-9s %-32s %s  %5.1fs  %s\n", tried, len(list), state, r.Name, r.Promise, r.Took.Round(100*time.Millisecond).Seconds(), r.Evidence)
			return t.keep(r)
		})
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	if len(survivors) > 0 {
		fmt.Fprintf(t.out, "mutants: %d of %d killed\n%v survived: %v can pass although the gateway is broken; read %s\n", t.killed, t.all, survivors, blind, log.Name())
		return errors.Join(quietError{exitFail}, log.Close())
	}
	return errors.Join(log.Close(), os.RemoveAll(dir))
}

// mutantVerdicts are what became of mutants in this checkout.
var mutantVerdicts = filepath.Join(".stormproof", "history", "mutants.jsonl")

func catalogueSources() (map[string]string, error) {
	list, err := (&common{}).load(nil)
	if err != nil {
		return nil, err
	}
	return sourcesOf(list)
}

func mutantsOnRecord(list []mutation.Mutant, root string, sources map[string]string) (mutation.Standing, error) {
	verdicts, err := mutation.Kept(mutantVerdicts)
	if err != nil {
		return mutation.Standing{}, err
	}
	return mutation.StandingOf(list, root, sources, verdicts)
}

// keep puts a verdict on record.
func (t *trial) keep(r mutation.Result) error {
	key, err := mutation.Key(r.Mutant, t.root, t.sources)
	if err != nil {
		return err
	}
	return mutation.Verdict{Name: r.Name, Key: key, Killed: r.Killed, Evidence: r.Evidence, When: time.Now()}.Keep(mutantVerdicts)
}
