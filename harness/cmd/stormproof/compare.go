package main

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/report"
)

func newDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Say which scenarios end otherwise in report B than in A; exit 1 when B has a new red",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, errA := report.Load(args[0])
			b, errB := report.Load(args[1])
			if err := errors.Join(errA, errB); err != nil {
				return usageError{err}
			}
			out, worse := cmd.OutOrStdout(), false
			changes := report.Diff(a, b)
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			for _, c := range changes {
				worse = worse || c.After != "" && c.After != report.Passed && c.Before != c.After
				note := c.Cause
				if c.Slower() {
					note = "slower"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%.1f s\t%.1f s\t%s\n", c.ID, cmp.Or(c.Before, "absent"), cmp.Or(c.After, "absent"), c.BeforeS, c.AfterS, note)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(out, "%d scenarios differ: %d of %d executions passed in A, %d of %d in B\n", len(changes),
				a.Totals.Passed, a.Totals.Expected, b.Totals.Passed, b.Totals.Expected)
			if worse {
				return quietError{exitFail}
			}
			return nil
		},
	}
}

// openers are the programs that show a file in the desktop's browser, by system.
var openers = []string{"xdg-open", "open", "wslview"}

func newOpen() *cobra.Command {
	return &cobra.Command{
		Use:   "open [DIR]",
		Short: "Show a report's dashboard in the browser; without DIR the latest one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := filepath.Join("reports", "latest")
			if len(args) > 0 {
				dir = args[0]
			}
			if _, err := report.Load(dir); err != nil {
				return usageError{err}
			}
			page, err := filepath.Abs(filepath.Join(dir, report.HTMLFile))
			if err != nil {
				return fmt.Errorf("finding %s: %w", dir, err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), page)
			for _, name := range openers {
				if path, err := exec.LookPath(name); err == nil {
					return exec.CommandContext(cmd.Context(), path, page).Run()
				}
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "stormproof: no program to open it with; open the file above in a browser")
			return nil
		},
	}
}
