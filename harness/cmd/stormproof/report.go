package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/report"
)

func newReport() *cobra.Command {
	cmd := &cobra.Command{Use: "report", Short: "Work with saved reports"}
	cmd.AddCommand(&cobra.Command{
		Use:   "merge OUT DIR...",
		Short: "Merge saved reports into one dashboard in OUT",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var parts []report.Report
			for _, dir := range args[1:] {
				r, err := report.Load(dir)
				if err != nil {
					return usageError{err}
				}
				parts = append(parts, r)
			}
			if err := report.Write(args[0], report.Merge(parts...)); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(args[0], report.HTMLFile))
			return nil
		},
	}, &cobra.Command{
		Use:   "render DIR",
		Short: "Write junit.xml, summary.md and index.html again from DIR/report.json",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := report.Load(args[0])
			if err != nil {
				return usageError{err}
			}
			return report.Write(args[0], r)
		},
	})
	cmd.AddCommand(&cobra.Command{
		Use:   "totals DIR",
		Short: "Print the totals of a saved report in one plain line",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := report.Load(args[0])
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d passed, %d failed\n", r.Totals.Passed, r.Totals.Failed+r.Totals.Skipped)
			return nil
		},
	})
	cmd.AddCommand(newTrend(), newDiff(), newOpen())
	for _, sub := range cmd.Commands() {
		asUsage(sub)
	}
	return cmd
}
