package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/flake"
	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/internal/owned"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/suite"
)

func newRun() *cobra.Command {
	c := &common{}
	cmd := &cobra.Command{
		Use:   "run [FILE|DIR]...",
		Short: "Run scenarios against real Kubernetes and Redis, judge them, write the dashboard",
		Long:  "Run scenarios. Without arguments the whole catalogue under scenarios/ is run.\nExit: 0 all passed, 1 something failed, 2 a file is wrong, 3 no environment, 4 nothing selected.",
		Args:  cobra.ArbitraryArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if c.watch {
			return watchVerb(cmd, c, args)
		}
		return runVerb(cmd, c, args)
	}
	c.runFlags(cmd)
	cmd.Flags().IntVar(&c.repeat, "repeat", 1, "runs in all, each with its own seed")
	cmd.Flags().BoolVar(&c.untilItFails, "until-it-fails", false, "repeat until a run is red")
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "list what would run")
	cmd.Flags().BoolVar(&c.watch, "watch", false, "run the files once, and again whenever one is saved")
	cmd.MarkFlagsMutuallyExclusive("repeat", "until-it-fails", "watch", "dry-run")
	return cmd
}

func runVerb(cmd *cobra.Command, c *common, args []string) error {
	if err := c.settle(); err != nil {
		return err
	}
	list, err := c.load(args)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "stormproof: nothing selected: no scenario matches; type: stormproof run --dry-run")
		return quietError{exitNothing}
	}
	if c.dryRun {
		for _, s := range list {
			fmt.Fprintf(cmd.OutOrStdout(), "%-8s %-18s %s\n", s.ID, s.Category, s.Title)
		}
		return nil
	}
	session, err := newSession(cmd, c, list)
	if err != nil {
		return err
	}
	if err := session.find(cmd); err != nil {
		return err
	}
	r := report.Report{Schema: report.Schema, Title: "Stormproof", Started: session.started, Environment: session.facts}
	if c.whole(args) {
		err = session.keepRuns(cmd.Context())
	}
	err = errors.Join(err, session.runs(cmd.Context(), &r))
	var pastErr error
	r.Trend, pastErr = session.past()
	err = errors.Join(err, pastErr)
	return errors.Join(err, conclude(cmd, c, session.dir, &r, len(list)))
}

// conclude writes the report and says in one line how it went.
func conclude(cmd *cobra.Command, c *common, dir string, r *report.Report, expected int) error {
	r.Count(expected)
	if err := report.Write(dir, *r); err != nil {
		return err
	}
	if err := report.Latest(filepath.Dir(dir), dir); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	printFailures(out, *r)
	fmt.Fprintf(out, "\n%d passed, %d failed, %d skipped\n", r.Totals.Passed, r.Totals.Failed, r.Totals.Skipped)
	fmt.Fprintf(out, "dashboard: %s\n", filepath.Join(c.output, "latest", "index.html"))
	if !r.Green() {
		return quietError{exitFail}
	}
	return nil
}

func printFailures(out io.Writer, r report.Report) {
	_, colour := terminal(out)
	if os.Getenv("GITHUB_ACTIONS") == "true" {
		_ = report.WriteAnnotations(out, r) // what follows says the same
	}
	for i, run := range r.Runs {
		if run.Error != "" {
			fmt.Fprintf(out, "\nrun %d did not finish: %s\n", i+1, run.Error)
		}
		for j := range run.Scenarios {
			s := &run.Scenarios[j]
			if s.Status != report.Passed {
				fmt.Fprintf(out, "\n%s %s  %s\n%s\n", s.Status, s.ID, s.Title, indent(s.Page(colour)))
			}
		}
	}
}

// session is an environment in which one or more runs take place.
type session struct {
	c    *common
	list []*scenario.Scenario
	// worlds are the list with every case on its own: what the environment must serve.
	worlds []*scenario.Scenario
	// root is the folder in which the program was started, dir the report's.
	root, dir    string
	started      time.Time
	env          *environment.Environment
	own          *owned.Session
	description  string
	alertmanager string
	programs     map[string]string
	pods         *suite.Pods
	facts        report.Environment
	progress     *progress
	count        int
	// subject is what is run, where runs are kept; else nil.
	subject *flake.Subject
}

// newSession makes the folder and knows what the scenarios need; find or up brings it up.
func newSession(cmd *cobra.Command, c *common, list []*scenario.Scenario) (*session, error) {
	if c.system == scenario.Cluster {
		for _, one := range list {
			one.RunAs(c.system)
		}
	}
	s := &session{c: c, list: list, worlds: scenario.Flatten(list), started: time.Now(), progress: newProgress(cmd.OutOrStdout(), c.progress)}
	c.controllers = c.controllers || slices.ContainsFunc(s.worlds, func(s *scenario.Scenario) bool { return s.Needs.Controllers })
	var err error
	if s.root, err = os.Getwd(); err != nil {
		return nil, fmt.Errorf("finding this folder: %w", err)
	}
	if s.dir, err = c.runFolder(s.started); err != nil {
		return nil, err
	}
	return s, nil
}

// find takes the environment that `stormproof up` holds in this folder, else starts one.
func (s *session) find(cmd *cobra.Command) (err error) {
	d, path, err := attach(cmd, s.c.controllers)
	if err != nil {
		return err
	}
	if err := s.begin(d); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(cmd.Context()))
		}
	}()
	if d == nil {
		return s.up(cmd)
	}
	if err := s.tools(cmd); err != nil {
		return err
	}
	s.description, s.facts = path, environmentFacts(cmd.Context(), *d)
	return s.deploy(cmd, *d)
}

// tools gets the programs that the scenarios need besides.
func (s *session) tools(cmd *cobra.Command) (err error) {
	if needsAlertmanager(s.worlds) {
		if s.alertmanager, err = binaries.Alertmanager(cmd.Context(), "", cmd.ErrOrStderr()); err != nil {
			return environment.Unavailable("Alertmanager", err)
		}
	}
	if slices.ContainsFunc(s.worlds, func(s *scenario.Scenario) bool { return s.Needs.APIServer == "own" }) {
		if err := cluster.Programs(cmd.Context(), cluster.Options{Out: cmd.ErrOrStderr()}); err != nil {
			return environment.Unavailable("API servers of the scenarios' own", err)
		}
	}
	s.programs, err = programs(cmd, s.c.system, s.worlds, s.dir)
	return err
}

// up starts the environment.
func (s *session) up(cmd *cobra.Command) (err error) {
	if err := s.mayHavePods(cmd); err != nil {
		return err
	}
	if err := s.tools(cmd); err != nil {
		return err
	}
	o := s.c.environment(cmd, s.dir)
	if o.Redis == "auto" && !usesRedis(s.worlds) {
		o.Redis = environment.NoRedis
	}
	if s.env, err = environment.Up(cmd.Context(), o); err != nil {
		return err
	}
	s.description = filepath.Join(s.dir, "environment.json")
	if err := s.env.Describe().Write(s.description); err != nil {
		return err
	}
	s.facts = environmentFacts(cmd.Context(), s.env.Describe())
	return s.deploy(cmd, s.env.Describe())
}

func needsAlertmanager(list []*scenario.Scenario) bool {
	found := false
	for _, s := range list {
		scenario.Walk(s.Steps, func(step *scenario.Step) { found = found || step.Alertmanager != nil })
	}
	return found
}

// close takes the environment down, even after an interrupt. A second call does nothing.
func (s *session) close(ctx context.Context) (err error) {
	if s.env != nil { // else it belongs to `stormproof up`
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = s.env.Down(ctx)
	}
	if s.own != nil && err == nil { // else `stormproof down --orphans` has something to do
		err = s.own.End()
	}
	s.env, s.own = nil, nil
	return err
}

// closeInto takes the environment down, also after a panic. A clean-up that failed is a
// failure of the last run.
func (s *session) closeInto(ctx context.Context, r *report.Report) error {
	err := s.close(ctx)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("taking the environment down: %w", err)
	if n := len(r.Runs); n > 0 {
		r.Runs[n-1].Error = strings.TrimPrefix(r.Runs[n-1].Error+"; "+err.Error(), "; ")
	}
	return err
}

// runs executes as many runs as the flags ask for, and takes the environment down.
func (s *session) runs(ctx context.Context, r *report.Report) (err error) {
	defer func() { err = errors.Join(err, s.closeInto(ctx, r)) }()
	for n := 0; ctx.Err() == nil && (s.c.untilItFails || n < s.c.repeat); n++ {
		run, err := s.run(ctx, s.c.seed+int64(n), s.c.procs)
		r.Runs = append(r.Runs, run)
		if err != nil {
			return err
		}
		if s.c.untilItFails && !green(run) {
			break
		}
	}
	return nil
}

func green(run report.Run) bool {
	for _, s := range run.Scenarios {
		if s.Status != report.Passed {
			return false
		}
	}
	return run.Error == ""
}

// run executes the scenarios once.
func (s *session) run(ctx context.Context, seed int64, procs int) (report.Run, error) {
	run, err := s.runOf(ctx, s.list, seed, procs)
	return run, errors.Join(err, s.keep(ctx, run))
}

// runOf executes some scenarios once, as the session's next run.
func (s *session) runOf(ctx context.Context, list []*scenario.Scenario, seed int64, procs int) (report.Run, error) {
	s.count++
	s.progress.begin(s.count, seed, procs, list)
	plan := s.plan(s.count)
	plan.Seed = seed
	if err := os.RemoveAll(plan.Dir); err != nil { // of a gate that was interrupted
		return report.Run{}, fmt.Errorf("clearing the run's folder: %w", err)
	}
	run, err := suite.Run(ctx, suite.Options{
		Plan:      plan,
		Scenarios: list, Procs: min(procs, len(list)), Timeout: s.c.timeout, Finished: s.progress.finished})
	if err != nil && run.Error == "" {
		run.Error = err.Error()
	}
	s.progress.end(run)
	return run, err
}

// plan is what run n of the session is made from.
func (s *session) plan(n int) suite.Plan {
	return suite.Plan{RunID: runID(s.started, n), Seed: s.c.seed, Environment: s.description,
		Dir: filepath.Join(s.dir, "runs", strconv.Itoa(n)), Alertmanager: s.alertmanager, Keep: s.c.keep,
		Root: s.root, Output: s.c.output, Replay: s.c.replay(), System: s.c.system, Programs: s.programs, Pods: s.pods, Case: s.c.caseName}
}

// sessionID is short, because it is part of namespaces and keys, and unique on a machine.
func sessionID(started time.Time) string {
	return strconv.FormatInt(started.UnixMilli()%(36*36*36*36*36*36), 36)
}

// runID is that of run n of a session.
func runID(started time.Time, n int) string { return sessionID(started) + "r" + strconv.Itoa(n) }
