package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/flake"
	"github.com/stormproof/stormproof/harness/gate"
	"github.com/stormproof/stormproof/harness/mutation"
	"github.com/stormproof/stormproof/harness/report"
)

// gateState remembers how far a gate came in this checkout.
var gateState = filepath.Join(".stormproof", "gate.json")

// gateFlags are the gate's own.
type gateFlags struct {
	common
	criteria, linter string
	keepGoing, fresh bool
	// confidence is the bound on red runs that shall be proven, in percent; 0: none.
	confidence percent
}

func newGate() *cobra.Command {
	g := &gateFlags{}
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Unit tests, lint and consecutive runs of the whole catalogue: one verdict",
		Long: "Unit tests, lint and consecutive runs of the whole catalogue: one verdict.\n" +
			"It stops at the first red part. After an interrupt the same command goes on where it was, as long as nothing has changed.",
		RunE: func(cmd *cobra.Command, _ []string) error { return gateVerb(cmd, g) },
	}
	g.environmentFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&g.criteria, "criteria", "", "file of criteria; default: the built-in ones")
	f.StringVar(&g.linter, "lint", "golangci-lint", "golangci-lint's program")
	f.BoolVar(&g.keepGoing, "keep-going", false, "go on after the first red part")
	f.BoolVar(&g.fresh, "fresh", false, "begin anew, although a gate of this tree was interrupted")
	f.Var(&g.confidence, "until-confidence", "go on with runs of the catalogue until the kept ones prove that fewer than this are red (95 %), for example 0.5%")
	f.Int64Var(&g.seed, "seed", 0, "base of the runs' seeds; 0 takes one from the clock and prints it")
	f.StringVar(&g.output, "output", "reports", "folder for reports")
	f.StringVar(&g.progress, "progress", "auto", "auto, plain, json or none")
	f.DurationVar(&g.timeout, "timeout", 20*time.Minute, "bound on one run of the catalogue")
	return cmd
}

// gateRun is one call of the gate.
type gateRun struct {
	*gateFlags
	cmd      *cobra.Command
	criteria gate.Criteria
	session  *session
	state    gate.State
	log      io.Writer
}

func gateVerb(cmd *cobra.Command, flags *gateFlags) error {
	criteria, err := gate.Load(flags.criteria)
	if err != nil {
		return usageError{err}
	}
	g := &gateRun{gateFlags: flags, cmd: cmd, criteria: criteria}
	if err := g.resume(); err != nil {
		return err
	}
	if err := g.settle(); err != nil {
		return err
	}
	list, err := g.load(nil)
	if err != nil {
		return err
	}
	if g.session, err = newSession(cmd, &g.common, list); err != nil {
		return err
	}
	g.state.Dir, g.state.Seed = g.session.dir, g.seed
	log, err := os.OpenFile(filepath.Join(g.session.dir, "gate.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("creating the gate's log: %w", err)
	}
	g.log = log
	evidence, err := g.collect()
	r, judgeErr := g.judge(evidence)
	printGate(cmd.OutOrStdout(), r, log.Name())
	err = errors.Join(err, judgeErr, log.Close(), g.leave(), concludeGate(cmd, flags, g.session.dir, &r, len(list)))
	if err == nil && r.Gate.Verdict != "pass" {
		return quietError{exitFail}
	}
	return err
}

// judge holds the evidence against the criteria, and says what it is worth.
func (g *gateRun) judge(e gate.Evidence) (report.Report, error) {
	r := e.Report
	gate.MarkOrder(&r)
	verdict := gate.Evaluate(g.criteria, e)
	r.Gate = &verdict
	runs, red, err := g.session.onRecord()
	r.Flake = flake.Of(runs, red, g.criteria.IntegrationRuns)
	var pastErr error
	r.Trend, pastErr = g.session.past()
	return r, errors.Join(err, pastErr)
}

// resume finds out how far a gate of the same tree, criteria and flags had come.
func (g *gateRun) resume() error {
	key := identity(g.cmd.Context(), fmt.Sprintf("%+v %+v race %v", g.criteria, *g.gateFlags, raceEnabled))
	g.state = gate.State{Key: key}
	if g.fresh {
		return nil
	}
	state, found, err := gate.LoadState(gateState, key)
	if err != nil {
		return usageError{err}
	}
	if g.state = state; found {
		g.folder, g.seed = state.Dir, state.Seed
		fmt.Fprintf(g.cmd.OutOrStdout(), "gate: going on with the one that was interrupted (%d of %d unit runs, %d of %d integration runs are done; --fresh begins anew)\n",
			len(state.Unit), g.criteria.UnitRuns, len(state.Runs), g.criteria.IntegrationRuns)
	}
	return nil
}

// leave forgets a gate that came to its verdict, and says how to go on with one that did not.
func (g *gateRun) leave() error {
	if g.cmd.Context().Err() != nil {
		fmt.Fprintln(g.cmd.OutOrStdout(), "gate: interrupted; the same command goes on from here")
		return nil
	}
	if err := os.Remove(gateState); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forgetting the gate that is done: %w", err)
	}
	return nil
}

// collect gathers the evidence and stops at the first red part, unless told to go on.
func (g *gateRun) collect() (e gate.Evidence, err error) {
	ctx, c := g.cmd.Context(), g.criteria
	e.Report = report.Report{Schema: report.Schema, Title: "Stormproof gate", Started: g.session.started}
	if e.Forbidden, err = gate.Scan("."); err != nil {
		return e, err
	}
	e.Scanned = true
	if c.Mutants != "" {
		if e.Mutants, err = mutantsStanding(); err != nil {
			return e, err
		}
	}
	red := len(e.Forbidden) > c.Forbidden || len(e.Mutants.Survivors) > 0
	if c.LintIssues != gate.NoLint {
		if e.Lint, err = g.lint(); err != nil {
			return e, err
		}
		red = red || !e.Lint.Ran || e.Lint.Issues > c.LintIssues
	}
	if c.UnitRuns > 0 && ctx.Err() == nil && (g.keepGoing || !red) {
		err := g.unit()
		if e.Unit = g.state.Unit; err != nil {
			return e, err
		}
		red = red || len(e.Unit) < c.UnitRuns || slices.ContainsFunc(e.Unit, gate.UnitRun.Red)
	}
	if ctx.Err() != nil || red && !g.keepGoing {
		return e, ctx.Err()
	}
	err = g.integration(&e.Report)
	e.BurnIn = g.state.BurnIn
	return e, err
}

// mutantsStanding is what is on record of this project's seeded bugs.
func mutantsStanding() (gate.Mutants, error) {
	list, err := mutation.Load(mutantsDir)
	if err != nil {
		return gate.Mutants{}, err
	}
	sources, err := catalogueSources()
	if err != nil {
		return gate.Mutants{}, err
	}
	s, err := mutantsOnRecord(list, ".", sources)
	out := gate.Mutants{Killed: s.Killed, Untried: len(s.Untried)}
	for _, m := range s.Survived {
		out.Survivors = append(out.Survivors, m.Name)
	}
	return out, err
}

func (g *gateRun) lint() (gate.Lint, error) {
	if g.state.Lint != nil {
		return *g.state.Lint, nil
	}
	out := g.cmd.OutOrStdout()
	l, err := gate.RunLint(g.cmd.Context(), g.linter, g.log)
	if err != nil {
		fmt.Fprintf(out, "gate: %v\n", err)
	}
	fmt.Fprintf(out, "gate: lint: %d issues\n", l.Issues)
	if !l.Ran || g.cmd.Context().Err() != nil {
		return l, nil
	}
	g.state.Lint = &l
	return l, g.state.Save(gateState)
}

// unit builds the unit tests once and runs them as often as the criteria say.
func (g *gateRun) unit() (err error) {
	if len(g.state.Unit) >= g.criteria.UnitRuns {
		return nil
	}
	dir, err := os.MkdirTemp("", "stormproof-unit-")
	if err != nil {
		return fmt.Errorf("making a folder for the unit tests: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, out, begin := g.cmd.Context(), g.cmd.OutOrStdout(), time.Now()
	tests, err := gate.BuildUnit(ctx, dir, raceEnabled, g.log)
	if err != nil {
		fmt.Fprintf(out, "gate: %v\n", err)
		g.state.Unit = append(g.state.Unit, gate.UnitRun{Error: err.Error()})
		return ctx.Err()
	}
	fmt.Fprintf(out, "gate: unit tests built (%.0f s)\n", time.Since(begin).Seconds())
	for i := len(g.state.Unit); i < g.criteria.UnitRuns; i++ {
		begin := time.Now()
		u := tests.Run(ctx, g.seed+int64(i))
		if ctx.Err() != nil {
			return ctx.Err() // and what it was cut short at proves nothing
		}
		g.state.Unit = append(g.state.Unit, u)
		fmt.Fprintf(out, "gate: unit run %d of %d, seed %d: %d passed, %d failed (%.0f s) %s\n", i+1, g.criteria.UnitRuns, u.Seed, u.Passed, u.Failed, time.Since(begin).Seconds(), cmp.Or(u.Error, u.First))
		if err := g.state.Save(gateState); err != nil || u.Red() && !g.keepGoing {
			return err
		}
	}
	return nil
}

func (g *gateRun) integration(r *report.Report) (err error) {
	s, ctx := g.session, g.cmd.Context()
	if err := s.begin(nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.closeInto(ctx, r)) }()
	if err := s.up(g.cmd); err != nil {
		return err
	}
	if err := s.keepRuns(ctx); err != nil {
		return err
	}
	r.Environment, r.Runs = s.facts, slices.Clone(g.state.Runs)
	r.Environment.StartRetries += g.state.Environment.StartRetries
	if g.criteria.BurnIn && g.state.BurnIn == nil {
		if g.state.BurnIn, err = g.burnIn(); err != nil || ctx.Err() != nil || g.state.BurnIn.First != "" && !g.keepGoing {
			return err
		}
		if err := g.state.Save(gateState); err != nil {
			return err
		}
	}
	s.count = len(r.Runs)
	wanted, err := g.runsWanted()
	if err != nil {
		return err
	}
	for i, spec := range gate.Plan(g.seed, wanted, runtime.NumCPU()) {
		if i < len(g.state.Runs) {
			continue
		}
		fmt.Fprintf(g.cmd.OutOrStdout(), "gate: integration run %d of %d\n", i+1, wanted)
		var run report.Run
		run, err = s.run(ctx, spec.Seed, spec.Procs)
		r.Runs = append(r.Runs, run)
		if err != nil || ctx.Err() != nil || !green(run) && !g.keepGoing {
			break
		}
		g.state.Runs, g.state.Environment = slices.Clone(r.Runs), r.Environment
		if err = g.state.Save(gateState); err != nil {
			break
		}
	}
	r.Count(len(s.list))
	r.Totals.Expected = len(s.list) * wanted
	return err
}

// runsWanted is how many integration runs there shall be: those of the criteria, or as many as
// the bound takes that was asked for.
func (g *gateRun) runsWanted() (int, error) {
	if g.confidence == 0 {
		return g.criteria.IntegrationRuns, nil
	}
	runs, red, err := g.session.onRecord()
	if err != nil {
		return 0, err
	}
	needed, done := flake.RunsUntil(float64(g.confidence)/100, red), len(g.state.Runs)
	more := max(0, needed-runs, g.criteria.IntegrationRuns-done)
	fmt.Fprintf(g.cmd.OutOrStdout(), "gate: %s %% takes %d runs of this tree without a further red one; %d are on record (%d red), %d to go%s\n",
		g.confidence.String(), needed, runs, red, more, g.estimate(more))
	return done + more, nil
}

// estimate says how long so many runs take, by the newest one on record.
func (g *gateRun) estimate(runs int) string {
	history, err := flake.Load(keptHistory)
	if err != nil || len(history) == 0 || runs == 0 {
		return ""
	}
	return fmt.Sprintf(", about %s", (time.Duration(float64(runs)*history[len(history)-1].DurationS) * time.Second).String())
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
