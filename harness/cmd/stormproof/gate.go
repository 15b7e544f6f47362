package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/gate"
	"github.com/stormproof/stormproof/harness/report"
)

// runsFile keeps the outcome of every gate run in this checkout.
var runsFile = filepath.Join(".stormproof", "history", "runs.jsonl")

// gateFlags are the gate's own.
type gateFlags struct {
	common
	criteria, linter string
	keepGoing        bool
}

func newGate() *cobra.Command {
	g := &gateFlags{}
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Unit tests, lint and consecutive runs of the whole catalogue: one verdict",
		RunE:  func(cmd *cobra.Command, _ []string) error { return gateVerb(cmd, g) },
	}
	g.environmentFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&g.criteria, "criteria", "", "file of criteria; default: the built-in ones")
	f.StringVar(&g.linter, "lint", "golangci-lint", "golangci-lint's program")
	f.BoolVar(&g.keepGoing, "keep-going", false, "go on after the first red part")
	f.Int64Var(&g.seed, "seed", 0, "base of the runs' seeds; 0 takes one from the clock and prints it")
	f.StringVar(&g.output, "output", "reports", "folder for reports")
	f.StringVar(&g.progress, "progress", "auto", "auto, plain, json or none")
	f.DurationVar(&g.timeout, "timeout", 20*time.Minute, "bound on one run of the catalogue")
	return cmd
}

func gateVerb(cmd *cobra.Command, g *gateFlags) error {
	if err := g.settle(); err != nil {
		return err
	}
	criteria, err := gate.Load(g.criteria)
	if err != nil {
		return usageError{err}
	}
	list, err := g.load(nil)
	if err != nil {
		return err
	}
	session, err := newSession(cmd, &g.common, list)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(session.dir, "gate.log"))
	if err != nil {
		return fmt.Errorf("creating the gate's log: %w", err)
	}
	evidence, err := g.collect(cmd, session, criteria, log)
	r := evidence.Report
	gate.MarkOrder(&r)
	verdict := gate.Evaluate(criteria, evidence)
	r.Gate = &verdict
	tree := treeID(cmd.Context(), r.Environment.Choices)
	err = errors.Join(err, log.Close(), remember(tree, r))
	runs, failures, countErr := gate.CountTree(runsFile, tree)
	r.Flake = gate.FlakeOf(runs, failures, criteria.IntegrationRuns)
	printGate(cmd.OutOrStdout(), r, log.Name())
	err = errors.Join(err, countErr, concludeGate(cmd, g, session.dir, &r, len(list)))
	if err == nil && verdict.Verdict != "pass" {
		return quietError{exitFail}
	}
	return err
}

// collect gathers the evidence and stops at the first red part, unless told to go on.
func (g *gateFlags) collect(cmd *cobra.Command, s *session, c gate.Criteria, log io.Writer) (e gate.Evidence, err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	e.Report = report.Report{Schema: report.Schema, Title: "Stormproof gate", Started: s.started}
	if e.Forbidden, err = gate.Scan("."); err != nil {
		return e, err
	}
	e.Scanned = true
	red := len(e.Forbidden) > c.Forbidden
	if c.LintIssues != gate.NoLint {
		if e.Lint, err = gate.RunLint(ctx, g.linter, log); err != nil {
			fmt.Fprintf(out, "gate: %v\n", err)
		}
		fmt.Fprintf(out, "gate: lint: %d issues\n", e.Lint.Issues)
		red = red || !e.Lint.Ran || e.Lint.Issues > c.LintIssues
	}
	if c.UnitRuns > 0 && ctx.Err() == nil && (g.keepGoing || !red) {
		if e.Unit, err = g.unit(cmd, c, log); err != nil {
			return e, err
		}
		red = red || slices.ContainsFunc(e.Unit, gate.UnitRun.Red)
	}
	if ctx.Err() != nil || red && !g.keepGoing {
		return e, ctx.Err()
	}
	return e, g.integration(cmd, s, c, &e.Report)
}

// unit builds the unit tests once and runs them as often as the criteria say.
func (g *gateFlags) unit(cmd *cobra.Command, c gate.Criteria, log io.Writer) (runs []gate.UnitRun, err error) {
	dir, err := os.MkdirTemp("", "stormproof-unit-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the unit tests: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, out, begin := cmd.Context(), cmd.OutOrStdout(), time.Now()
	tests, err := gate.BuildUnit(ctx, dir, raceEnabled, log)
	if err != nil {
		fmt.Fprintf(out, "gate: %v\n", err)
		return []gate.UnitRun{{Error: err.Error()}}, ctx.Err()
	}
	fmt.Fprintf(out, "gate: unit tests built (%.0f s)\n", time.Since(begin).Seconds())
	for i := 0; i < c.UnitRuns && ctx.Err() == nil; i++ {
		begin := time.Now()
		u := tests.Run(ctx, g.seed+int64(i))
		runs = append(runs, u)
		fmt.Fprintf(out, "gate: unit run %d of %d, seed %d: %d passed, %d failed (%.0f s) %s\n", i+1, c.UnitRuns, u.Seed, u.Passed, u.Failed, time.Since(begin).Seconds(), cmp.Or(u.Error, u.First))
		if u.Red() && !g.keepGoing {
			break
		}
	}
	return runs, nil
}

func (g *gateFlags) integration(cmd *cobra.Command, s *session, c gate.Criteria, r *report.Report) (err error) {
	if err := s.begin(nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.closeInto(cmd.Context(), r)) }()
	if err := s.up(cmd); err != nil {
		return err
	}
	r.Environment = s.facts
	for i, spec := range gate.Plan(g.seed, c.IntegrationRuns, runtime.NumCPU()) {
		if cmd.Context().Err() != nil {
			break
		}
		fmt.Fprintf(cmd.OutOrStdout(), "gate: integration run %d of %d\n", i+1, c.IntegrationRuns)
		var run report.Run
		run, err = s.run(cmd.Context(), spec.Seed, spec.Procs)
		r.Runs = append(r.Runs, run)
		if err != nil || !green(run) && !g.keepGoing {
			break
		}
	}
	r.Count(len(s.list))
	r.Totals.Expected = len(s.list) * c.IntegrationRuns
	return err
}

// remember appends the runs to the kept history.
func remember(tree string, r report.Report) error {
	var entries []gate.Entry
	for _, run := range r.Runs {
		e := gate.Entry{Tree: tree, Seed: run.Seed, When: run.Started, Green: green(run), DurationS: run.DurationS}
		for _, s := range run.Scenarios {
			if s.Status != report.Passed {
				e.Failed = append(e.Failed, s.ID)
			}
		}
		entries = append(entries, e)
	}
	return gate.Append(runsFile, entries...)
}

// treeID identifies what was tested: the git tree, what differs from it, and what the
// environment was made of.
func treeID(ctx context.Context, choices []report.Choice) string {
	h := sha256.New()
	for _, args := range [][]string{{"rev-parse", "HEAD^{tree}"}, {"diff", "HEAD"}, {"status", "--porcelain"}} {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		if err != nil {
			return "no-git-" + time.Now().UTC().Format(time.RFC3339Nano) // never counted together
		}
		_, _ = h.Write(out) // a hash.Hash never fails
	}
	for _, c := range choices {
		fmt.Fprintln(h, c.Part, c.Chosen)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func printGate(out io.Writer, r report.Report, log string) {
	fmt.Fprintf(out, "\n%-36s %-28s %s\n", "criterion", "want", "got")
	for _, c := range r.Gate.Criteria {
		mark := "ok  "
		if !c.Pass {
			mark = "FAIL"
		}
		fmt.Fprintf(out, "%s %-31s %-28s %s\n", mark, c.Name, c.Want, c.Got)
	}
	f := r.Flake
	fmt.Fprintf(out, "\nwhat this is worth: %d runs of this tree, %d red; with 95 %% confidence fewer than %.1f %% of runs are red\n",
		f.Runs, f.Failures, 100*f.UpperBound95)
	fmt.Fprintf(out, "further green runs for 5 %%: %d, for 1 %%: %d; this gate notices a suite that is red 20 %% of the time with %.0f %%\n",
		f.RunsFor5Pct, f.RunsFor1Pct, 100*f.Power["p20"])
	fmt.Fprintf(out, "verdict: %s   (log: %s)\n", strings.ToUpper(r.Gate.Verdict), log)
}

// concludeGate writes the report; the totals count what was expected of all runs.
func concludeGate(cmd *cobra.Command, g *gateFlags, dir string, r *report.Report, scenarios int) error {
	expected := r.Totals.Expected
	if len(r.Runs) > 0 {
		r.Count(scenarios)
		r.Totals.Expected = expected
	}
	if err := report.Write(dir, *r); err != nil {
		return err
	}
	if err := report.Latest(filepath.Dir(dir), dir); err != nil {
		return err
	}
	printFailures(cmd.OutOrStdout(), *r)
	fmt.Fprintf(cmd.OutOrStdout(), "\n%d passed, %d failed, %d skipped\ndashboard: %s\n", r.Totals.Passed, r.Totals.Failed, r.Totals.Skipped,
		filepath.Join(g.output, "latest", "index.html"))
	return nil
}
