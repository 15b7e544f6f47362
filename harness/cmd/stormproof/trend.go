package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/flake"
	"github.com/stormproof/stormproof/harness/report"
)

// letters are how many results of a scenario are printed, the newest.
const letters = 40

func newTrend() *cobra.Command {
	var add bool
	var top int
	cmd := &cobra.Command{
		Use:   "trend [DIR]...",
		Short: "Say what the kept history of runs is worth, and which scenarios flake since when",
		Long: "Read the runs of the whole catalogue that `stormproof run` and `stormproof gate` kept in " + keptHistory + ",\n" +
			"and those in the report folders DIR, for example artefacts of CI.",
		RunE: func(cmd *cobra.Command, args []string) error {
			history, err := runsOnRecord(args)
			if err != nil {
				return usageError{err}
			}
			if len(history) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "stormproof: no run of the whole catalogue is on record; type: stormproof run")
				return quietError{exitNothing}
			}
			if add {
				if err := replaceHistory(history); err != nil {
					return err
				}
			}
			return printTrend(cmd.OutOrStdout(), history, top)
		},
	}
	cmd.Flags().BoolVar(&add, "keep", false, "add the runs of DIR to the kept history")
	cmd.Flags().IntVar(&top, "top", 10, "how many scenarios at most")
	return cmd
}

// runsOnRecord are the kept one and those of report folders, merged.
func runsOnRecord(dirs []string) ([]flake.Run, error) {
	all, err := flake.Load(keptHistory)
	for _, dir := range dirs {
		path := filepath.Join(dir, flake.File)
		if _, e := os.Stat(path); e != nil {
			err = errors.Join(err, fmt.Errorf("%s holds no history of runs: %w", dir, e))
			continue
		}
		more, e := flake.Load(path)
		err = errors.Join(err, e)
		all = flake.Merge(all, more)
	}
	return all, err
}

// replaceHistory writes beside and renames: half a history is never there.
func replaceHistory(history []flake.Run) error {
	beside := keptHistory + ".new"
	if err := os.RemoveAll(beside); err != nil {
		return fmt.Errorf("writing the history of runs: %w", err)
	}
	if err := flake.Append(beside, history...); err != nil {
		return err
	}
	if err := os.Rename(beside, keptHistory); err != nil {
		return fmt.Errorf("writing the history of runs: %w", err)
	}
	return nil
}

func printTrend(out io.Writer, history []flake.Run, top int) error {
	newest := history[len(history)-1]
	runs, red := flake.CountTree(history, newest.Tree)
	worth := flake.Of(runs, red, 3)
	fmt.Fprintf(out, "%d runs on record, %d of this tree (%s)\n%s\n\n", len(history), runs, cmp.Or(newest.Commit, "no commit"), worth.Sentence())
	series := flake.SeriesOf(history)
	flaky := slices.DeleteFunc(slices.Clone(series), func(s flake.Series) bool { return s.Red == 0 })
	if len(flaky) == 0 {
		fmt.Fprintf(out, "%d scenarios, none of them red in any run of this code\n", len(series))
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "scenario\tred\tat most\tmean\tcauses\tresults, newest last\tsince")
	for _, s := range flaky[:min(top, len(flaky))] {
		results := s.Results[max(0, len(s.Results)-letters):]
		fmt.Fprintf(w, "%s\t%d of %d\t%.1f %%\t%.1f s\t%s\t%s\t%s\n", s.ID, s.Red, s.Runs, 100*s.Upper95, s.MeanS, causes(s.Causes), results, since(history, s.ID))
	}
	fmt.Fprintln(w, "\nF: the product, H: the harness, E: the environment, I: could not be told. At most: the upper 95 % bound on how often.")
	return w.Flush()
}

func causes(of map[report.Status]int) string {
	var out []string
	for _, status := range slices.Sorted(maps.Keys(of)) {
		out = append(out, fmt.Sprintf("%s %d", status, of[status]))
	}
	return strings.Join(out, ", ")
}

// since names the first bad commit, as far as runs can tell.
func since(history []flake.Run, id string) string {
	f, ok := flake.FirstBadOf(history, id)
	switch {
	case !ok:
		return ""
	case f.GreenBefore == 0:
		return "its first run, " + cmp.Or(f.Commit, "no commit")
	}
	return fmt.Sprintf("%s, after %d green (by chance: %.0f %%)", cmp.Or(f.Commit, "no commit"), f.GreenBefore, 100*f.Luck)
}
