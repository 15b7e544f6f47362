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
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/scenario/play"
	"github.com/stormproof/stormproof/harness/suite"
)

// settleFor is how long a save may take: editors write, rename and touch in one go.
const settleFor = 20 * time.Millisecond

// watching reruns scenario files as they are saved, in this process: environment, program
// and caches stay warm. There is no Ginkgo in between, the rest is as in any run.
type watching struct {
	session *session
	host    *play.Host
	out     io.Writer
	colour  bool
	// by maps the absolute path of a file to the scenario files that need it.
	by     map[string][]string
	notify *fsnotify.Watcher
	count  int
	// took are the times from save to verdict.
	took []time.Duration
}

func watchVerb(cmd *cobra.Command, c *common, args []string) (err error) {
	if len(args) == 0 {
		return usageError{errors.New("--watch needs the files to watch: stormproof run --watch FILE")}
	}
	files, err := scenario.Files(args...)
	if err != nil {
		return usageError{err}
	}
	// What is wrong now may be right after the next save: only the verdict on it waits.
	list, err := c.load(files)
	var problems scenario.Problems
	if err != nil && !asProblems(err, &problems) {
		return err
	}
	w := &watching{out: cmd.OutOrStdout(), by: map[string][]string{}}
	_, w.colour = terminal(w.out)
	if w.session, err = newSession(cmd, c, list); err != nil {
		return err
	}
	if err := w.session.find(cmd); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.session.close(cmd.Context())) }()
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		return fmt.Errorf("watching files: %w", err)
	}
	defer func() { err = errors.Join(err, w.notify.Close()) }()
	if w.host, err = suite.NewHost(w.session.plan(1), wiring()); err != nil {
		return err
	}
	return w.loop(cmd.Context(), files)
}

// loop runs every file once, and then what is saved, until the context ends.
func (w *watching) loop(ctx context.Context, files []string) error {
	for _, file := range files {
		if err := w.know(file); err != nil {
			return err
		}
		if err := w.run(ctx, file, time.Now(), false); err != nil {
			return err
		}
	}
	fmt.Fprintln(w.out, "watching; save a file to run it again, Ctrl-C ends")
	for {
		saved, at, err := w.next(ctx)
		if err != nil || len(saved) == 0 {
			w.farewell()
			return err
		}
		for _, file := range saved {
			if err := w.run(ctx, file, at, true); err != nil {
				return err
			}
		}
	}
}

// know watches a scenario file and what it needs. Folders are watched, not files: an editor
// may put a new file in the old one's place.
func (w *watching) know(file string) error {
	for _, path := range sources(file) {
		path, err := filepath.Abs(path)
		if err != nil {
			return fmt.Errorf("finding %s: %w", path, err)
		}
		if slices.Contains(w.by[path], file) {
			continue
		}
		w.by[path] = append(w.by[path], file)
		if err := w.notify.Add(filepath.Dir(path)); err != nil {
			return fmt.Errorf("watching %s: %w", filepath.Dir(path), err)
		}
	}
	return nil
}

// sources are a scenario file and the fragments that it is made from. Of one that cannot be
// loaded only itself is known.
func sources(file string) []string {
	s, err := scenario.Load(file)
	if err != nil {
		return []string{file}
	}
	return s.Sources
}

// next waits for a save and returns the scenario files that it touches, none when the
// context has ended.
func (w *watching) next(ctx context.Context) (files []string, at time.Time, err error) {
	var quiet <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil, at, nil
		case <-quiet:
			return files, at, nil
		case err := <-w.notify.Errors:
			return nil, at, fmt.Errorf("watching files: %w", err)
		case event := <-w.notify.Events:
			users := w.by[event.Name]
			if len(users) == 0 || event.Op == fsnotify.Chmod || event.Op == fsnotify.Remove {
				continue
			}
			if quiet == nil {
				at = time.Now()
			}
			quiet = time.After(settleFor)
			for _, file := range users {
				if !slices.Contains(files, file) {
					files = append(files, file)
				}
			}
		}
	}
}

// run plays one file and says how it went; only what ends the watch is an error.
func (w *watching) run(ctx context.Context, file string, saved time.Time, timed bool) error {
	list, err := w.session.c.load([]string{file})
	if err != nil || len(list) == 0 {
		fmt.Fprintf(w.out, "%s %v\n", time.Now().Format(time.TimeOnly), err)
		return nil
	}
	if err := w.know(file); err != nil {
		return err
	}
	w.count++
	plan := w.session.plan(w.count)
	w.host.RunID, w.host.Dir = plan.RunID, filepath.Join(plan.Dir, "scenarios")
	for _, s := range list {
		if s, err = plan.Apply(s); err != nil {
			return err
		}
		result := play.Run(ctx, w.host, s)
		if ctx.Err() != nil {
			return nil // interrupted: its verdict says nothing
		}
		took := time.Since(saved)
		if timed {
			w.took = append(w.took, took)
		}
		if err := w.conclude(plan, s, &result, took); err != nil {
			return err
		}
	}
	return nil
}

// conclude prints the verdict and rewrites the report, which holds the last run alone.
func (w *watching) conclude(plan suite.Plan, s *scenario.Scenario, result *report.Scenario, took time.Duration) error {
	result.File = s.File
	dir := w.session.dir
	if err := os.RemoveAll(filepath.Join(dir, suite.FailuresDir)); err != nil {
		return fmt.Errorf("removing the evidence of the run before: %w", err)
	}
	suite.Explain(plan, result)
	mark, code := "✓", "32"
	if result.Status != report.Passed {
		mark, code = "✗", "31"
	}
	if w.colour {
		mark = "\x1b[" + code + "m" + mark + "\x1b[0m"
	}
	fmt.Fprintf(w.out, "%s %s %s %s  %s  (%.2f s after the save)\n", time.Now().Format(time.TimeOnly), mark, result.Status, s.ID, s.Title, took.Seconds())
	if result.Status != report.Passed {
		fmt.Fprintln(w.out, indent(result.Page(w.colour)))
	}
	r := report.Report{Schema: report.Schema, Title: "Stormproof", Started: w.session.started, Environment: w.session.facts,
		Runs: []report.Run{{Seed: plan.Seed, Order: "catalogue", Procs: 1, Started: result.Started, DurationS: result.DurationS, Scenarios: []report.Scenario{*result}}}}
	r.Count(1)
	old := filepath.Join(dir, "runs", strconv.Itoa(w.count-1))
	return errors.Join(report.Write(dir, r), report.Latest(filepath.Dir(dir), dir), os.RemoveAll(old))
}

// farewell says how fast it was.
func (w *watching) farewell() {
	if len(w.took) == 0 {
		return
	}
	slices.Sort(w.took)
	fmt.Fprintf(w.out, "\n%d saves, from save to verdict: median %.2f s, slowest %.2f s\n", len(w.took),
		w.took[len(w.took)/2].Seconds(), w.took[len(w.took)-1].Seconds())
}
