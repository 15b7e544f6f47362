package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/catalogue"
	"github.com/stormproof/stormproof/harness/mutation"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

func asProblems(err error, into *scenario.Problems) bool { return errors.As(err, into) }

func newLint() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [FILE|DIR]...",
		Short: "Check scenario files; says file, line, field and a suggestion",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := (&common{}).load(args)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d scenarios, no problems\n", len(list))
			return nil
		},
	}
}

func newNew() *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use:   "new [ID TITLE...]",
		Short: "Write a scenario file that already passes; without arguments under the next free id",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return fmt.Errorf("%s needs a title: stormproof new %s \"what must hold\"", args[0], args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				id, err := scenario.NextID(dir)
				if err != nil {
					return usageError{err}
				}
				args = []string{id, scenario.NewTitle}
			}
			path, err := scenario.New(dir, args[0], strings.Join(args[1:], " "))
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\nnext: %s run %s\n", path, os.Args[0], path)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "scenarios", "catalogue's folder")
	return cmd
}

func newSchema() *cobra.Command {
	fragment, markdown, table, results := false, false, false, false
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scenario files, for editors; or the reference or the catalogue's table, for people",
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := scenario.Schema
			switch {
			case fragment:
				write = scenario.FragmentSchema
			case markdown:
				write = scenario.Reference
			case table:
				write = cataloguePage
			case results:
				write = report.JSONSchema
			}
			b, err := write()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(b)
			return err
		},
	}
	cmd.Flags().BoolVar(&fragment, "fragment", false, "the schema of fragment files")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "the reference of the language, as Markdown")
	cmd.Flags().BoolVar(&table, "catalogue", false, "the table of scenarios, seeded bugs and defects found, as Markdown")
	cmd.Flags().BoolVar(&results, "report", false, "the schema of report.json")
	cmd.MarkFlagsMutuallyExclusive("fragment", "markdown", "catalogue", "report")
	return cmd
}

// cataloguePage is scenarios/README.md.
func cataloguePage() ([]byte, error) {
	list, err := (&common{}).load(nil)
	if err != nil {
		return nil, err
	}
	mutants, err := mutation.Load(mutantsDir)
	if err != nil {
		return nil, err
	}
	ledger, err := catalogue.Ledger("fixtures/ledger.yaml")
	if err != nil {
		return nil, err
	}
	return []byte(catalogue.Page(list, mutants, ledger)), nil
}
