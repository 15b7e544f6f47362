package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/scenario/play"
)

// Options of one run.
type Options struct {
	Plan
	Scenarios []*scenario.Scenario
	Procs     int
	// Timeout bounds the whole run.
	Timeout time.Duration
	// Finished is told each scenario's result as it appears.
	Finished func(report.Scenario)
	// Env is added to the environment of the processes.
	Env []string
}

// Run executes the scenarios once and returns what happened. An error means that the
// harness itself could not run them; a red scenario is no error.
func Run(ctx context.Context, o Options) (report.Run, error) {
	out := report.Run{Seed: o.Seed, Order: "random", Procs: o.Procs, Started: time.Now()}
	if err := os.MkdirAll(filepath.Join(o.Dir, "scenarios"), 0o755); err != nil {
		return out, fmt.Errorf("making the run's folder: %w", err)
	}
	o.Files = nil
	for _, s := range o.Scenarios {
		path, err := filepath.Abs(s.File)
		if err != nil {
			return out, fmt.Errorf("finding %s: %w", s.File, err)
		}
		o.Files = append(o.Files, path)
	}
	plan, err := o.write()
	if err != nil {
		return out, err
	}
	cmd, log, err := o.command(ctx, plan)
	if err != nil {
		return out, err
	}
	follow := newFollower(filepath.Join(o.Dir, "scenarios"), o.Scenarios, o.Finished)
	runErr := guarded(cmd)
	follow.stop()
	out.DurationS = time.Since(out.Started).Seconds()
	if err := log.Close(); err != nil {
		return out, fmt.Errorf("closing the run's log: %w", err)
	}
	return o.collect(ctx, out, runErr)
}

// command builds the Ginkgo process. It has a process group of its own: Ctrl-C reaches it
// through us, as one interrupt, so that specs clean up.
func (o Options) command(ctx context.Context, plan string) (*exec.Cmd, io.Closer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("finding this program: %w", err)
	}
	binary := filepath.Join(o.Dir, "scenarios.test")
	if err := os.Symlink(self, binary); err != nil {
		return nil, nil, fmt.Errorf("naming the test binary: %w", err)
	}
	log, err := os.Create(filepath.Join(o.Dir, "ginkgo.log"))
	if err != nil {
		return nil, nil, fmt.Errorf("creating the run's log: %w", err)
	}
	cmd := exec.CommandContext(ctx, self,
		"--procs="+strconv.Itoa(o.Procs), "--seed="+strconv.FormatInt(o.Seed, 10), "--randomize-all",
		"--keep-going", "--fail-on-empty", "--fail-on-pending", "--no-color", "-v",
		"--timeout="+o.Timeout.String(), "--grace-period=100s",
		"--output-dir="+o.Dir, "--json-report=ginkgo.json", binary)
	cmd.Env = append(os.Environ(), RoleVariable+"="+roleCommand, PlanVariable+"="+plan, "ACK_GINKGO_RC=true",
		// A data race ends the process, and with it the run: nothing green comes after it.
		"GORACE=halt_on_error=1")
	cmd.Env = append(cmd.Env, o.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The whole group, as a terminal would: Ginkgo passes an interrupt on to none of its own.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	return cmd, log, nil
}

// guarded runs a command that shall not outlive this process, however that ends.
func guarded(cmd *exec.Cmd) error {
	guard, err := process.NewGuard()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, guard.Close())
	}
	if err := guard.Watch(cmd.Process.Pid); err != nil {
		err = errors.Join(err, cmd.Process.Signal(os.Interrupt))
		return errors.Join(err, cmd.Wait(), guard.Close())
	}
	return errors.Join(cmd.Wait(), guard.Close())
}

// collect merges Ginkgo's report with the scenarios' own results.
func (o Options) collect(ctx context.Context, out report.Run, runErr error) (report.Run, error) {
	states, err := readStates(filepath.Join(o.Dir, "ginkgo.json"))
	if err != nil {
		out.Scenarios = o.died()
		return out, errors.Join(fmt.Errorf("reading what Ginkgo reported: %w", err), runErr, tail(filepath.Join(o.Dir, "ginkgo.log")))
	}
	for _, s := range o.Scenarios {
		out.Scenarios = append(out.Scenarios, o.merge(s, states[s.ID]))
	}
	if ctx.Err() != nil {
		out.Error = "interrupted: " + context.Cause(ctx).Error()
	}
	return out, nil
}

// merge believes in green only when both Ginkgo and the scenario's result say so.
func (o Options) merge(s *scenario.Scenario, spec types.SpecReport) report.Scenario {
	result := report.Scenario{ID: s.ID, Title: s.Title, Category: s.Category, File: s.File,
		Replay: play.Replay(o.Replay, o.Seed, o.Root, s.File)}
	b, err := os.ReadFile(resultPath(filepath.Join(o.Dir, "scenarios"), s.ID))
	if err == nil {
		err = json.Unmarshal(b, &result)
	}
	result.File = s.File
	for i, a := range result.Artefacts {
		// From the report's folder, which is the parent of runs/N.
		result.Artefacts[i] = filepath.Join("runs", filepath.Base(o.Dir), "scenarios", a)
	}
	switch {
	case spec.State == types.SpecStatePassed && err == nil:
	case err != nil && spec.State.Is(types.SpecStateFailureStates):
		result.Status, result.FirstCause = report.HarnessError, firstLine(spec.Failure.Message)
		result.Detail = spec.Failure.Message + "\n" + spec.Failure.ForwardedPanic
	case err != nil:
		result.Status, result.FirstCause = report.Skipped, "the spec did not run"
	case result.Status == report.Passed:
		result.Status, result.FirstCause = report.HarnessError, "Ginkgo says "+spec.State.String()+": "+firstLine(spec.Failure.Message)
		result.Detail = spec.Failure.Message
	}
	Explain(o.Plan, &result)
	return result
}

// Explain keeps the evidence of a result that is not green, and writes its page. Plan.Dir is
// runs/N in the report's folder.
func Explain(p Plan, result *report.Scenario) {
	result.Signature = report.Signature(result.FirstCause)
	if result.Status == report.Passed {
		return
	}
	reportDir := filepath.Dir(filepath.Dir(p.Dir))
	run, err := strconv.Atoi(filepath.Base(p.Dir))
	if err == nil {
		err = keep(reportDir, p.Output, lastRound(filepath.Join(p.Dir, "scenarios", result.ID)), run, result)
	}
	if err != nil && result.Why != nil {
		result.Why.Also = append(result.Why.Also, err.Error())
	}
}

// died lists the scenarios that were under way, or red, when Ginkgo broke off without a
// report; they are what there is to look at.
func (o Options) died() []report.Scenario {
	var out []report.Scenario
	for _, s := range o.Scenarios {
		if lastRound(filepath.Join(o.Dir, "scenarios", s.ID)) == "" {
			continue
		}
		result := report.Scenario{ID: s.ID, Title: s.Title, Category: s.Category, Status: report.HarnessError,
			FirstCause: "the process died while this scenario ran; ginkgo.log of the run says of what", Replay: play.Replay(o.Replay, o.Seed, o.Root, s.File)}
		b, err := os.ReadFile(resultPath(filepath.Join(o.Dir, "scenarios"), s.ID))
		if err == nil && json.Unmarshal(b, &result) == nil && result.Status == report.Passed {
			continue
		}
		result.File = s.File
		Explain(o.Plan, &result)
		out = append(out, result)
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// readStates indexes Ginkgo's report by scenario id, which is the first word of a spec.
func readStates(path string) (map[string]types.SpecReport, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var reports []types.Report
	if err := json.Unmarshal(b, &reports); err != nil {
		return nil, err
	}
	out := map[string]types.SpecReport{}
	for _, r := range reports {
		for _, spec := range r.SpecReports {
			id, _, _ := strings.Cut(spec.LeafNodeText, " ")
			out[id] = spec
		}
	}
	return out, nil
}

// tail returns the end of a log as an error, for a reader who has nothing else.
func tail(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return fmt.Errorf("last lines of %s:\n%s", path, bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}
