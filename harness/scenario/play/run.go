package play

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/judge"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

// defaultTimeout bounds a round, set-up and clean-up included.
const defaultTimeout = scenario.DefaultTimeout

// cleanupTimeout is on top of it, so that a round that ran out of time is still tidied up.
const cleanupTimeout = 90 * time.Second

// Run carries out every round of every case of a scenario and returns its one outcome; it
// stops at the first round that is not green. Run never panics over a scenario's behaviour and never retries.
func Run(ctx context.Context, host *Host, s *scenario.Scenario) report.Scenario {
	out := report.Scenario{ID: s.ID, Title: s.Title, Category: s.Category, File: s.File,
		Status: report.Passed, Started: time.Now(), Promises: map[string]string{},
		Steps: []report.Step{}, Faults: []report.Fault{}, Residue: []string{},
		Replay: Replay(host.Replay, host.Seed, host.Root, s.File)}
	begin := time.Now()
	for _, v := range s.Variants() {
		for round := 1; round <= max(1, v.Rounds) && out.Status == report.Passed; round++ {
			runRound(ctx, host, v, round, &out)
		}
		if out.Status != report.Passed {
			out.Replay += caseFlag(v.Case)
			break
		}
	}
	out.DurationS = time.Since(begin).Seconds()
	out.Signature = report.Signature(out.FirstCause)
	return out
}

// Replay is the command that runs a file again with a seed, to be typed in root.
func Replay(command string, seed int64, root, file string) string {
	return fmt.Sprintf("%s --seed %d %s", cmp.Or(command, "bin/stormproof run"), seed, shown(root, file))
}

// caseFlag narrows a replay to one case.
func caseFlag(name string) string {
	if name == "" {
		return ""
	}
	return " --case " + name
}

// shown is a path as a person in root would type it.
func shown(root, path string) string {
	if root == "" || !filepath.IsAbs(path) {
		return path
	}
	r, err := filepath.Rel(root, path)
	if err != nil || strings.HasPrefix(r, "..") {
		return path
	}
	return r
}

// runRound fills out with what one round showed.
func runRound(ctx context.Context, host *Host, s *scenario.Scenario, round int, out *report.Scenario) {
	timeout := s.Timeout.D()
	if timeout == 0 {
		timeout = defaultTimeout
	}
	roundCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w, err := newWorld(roundCtx, host, s, round)
	if err != nil {
		w.blame(out, err, "setting up the scenario", report.EnvError)
		return
	}
	out.Artefacts = append(out.Artefacts, relative(host.Dir, w.dir))
	err = w.steps(roundCtx, s, out)
	cleanCtx, cancelClean := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancelClean()
	for _, e := range each(err) {
		w.blame(out, e, "", report.HarnessError)
	}
	for _, e := range each(w.finish(cleanCtx, err, out)) {
		w.blame(out, e, "cleaning up after "+s.ID, report.HarnessError)
	}
	w.decide(out)
}

// steps runs the steps in order and stops at the first that fails.
func (w *world) steps(ctx context.Context, s *scenario.Scenario, out *report.Scenario) error {
	// Times count from the world's beginning, as those of the history do: one axis for all.
	begin := w.began
	for i := range s.Steps {
		w.history.SetStep(i)
		start := time.Since(begin)
		err := w.do(ctx, &s.Steps[i])
		step := report.Step{Name: w.stepName(&s.Steps[i]), StartMS: ms(start), DurationMS: ms(time.Since(begin) - start), Failed: err != nil}
		out.Steps = append(out.Steps, step)
		if err != nil {
			return &stepError{"steps", i, step.Name, err}
		}
	}
	w.history.SetStep(-1)
	return w.healAll(ctx)
}

// stepName says which case a step belongs to, where there are several.
func (w *world) stepName(s *scenario.Step) string {
	if w.scenario.Case == "" {
		return s.Name()
	}
	return w.scenario.Case + ": " + s.Name()
}

// decide lets the judge speak and copies its verdict and the timeline into the outcome.
func (w *world) decide(out *report.Scenario) {
	path := filepath.Join(w.dir, "history.jsonl")
	events, err := history.Read(path)
	if err != nil {
		w.blame(out, err, "reading the history back", report.HarnessError)
		return
	}
	verdict := judge.Judge(events)
	for name, finding := range verdict.Promises {
		if old, told := out.Promises[name]; !told || old == string(judge.Pass) {
			out.Promises[name] = string(finding.Outcome)
		}
	}
	w.blameJudge(out, verdict)
	timeline(events, out)
}

// blameJudge adds what the judge found: its own first cause first.
func (w *world) blameJudge(out *report.Scenario, v judge.Verdict) {
	kind := report.Failed
	switch v.Outcome() {
	case judge.Pass:
		return
	case judge.Inconclusive:
		kind = report.Inconclusive
	default:
	}
	first := v.FirstCause()
	w.blame(out, errors.New(first), "", kind)
	for _, name := range slices.Sorted(maps.Keys(v.Promises)) {
		f := v.Promises[name]
		if text := name + ": " + f.Why; text != first && (f.Outcome == judge.Fail || f.Outcome == judge.Inconclusive && kind == report.Inconclusive) {
			w.blame(out, errors.New(text), "", kind)
		}
	}
}

// timeline copies requests, faults and clock advances of the last round for the dashboard.
func timeline(events []history.Event, out *report.Scenario) {
	const most = 400
	out.Marks, out.Latency, out.Loads, out.Requests, out.Refused = nil, nil, nil, 0, 0
	var requests []report.Mark
	for _, e := range events {
		switch {
		case e.Answer != nil:
			out.Latency = append(out.Latency, ms(e.Answer.Latency))
			requests = append(requests, report.Mark{Kind: "request", Label: fmt.Sprintf("%s %d", e.Answer.ID, e.Answer.Status),
				AtMS: ms(e.At - e.Answer.Latency), DurationMS: ms(e.Answer.Latency), OK: e.Answer.Acked()})
		case e.Load != nil:
			out.Loads = append(out.Loads, report.LoadResult{ID: e.Load.Name, Planned: e.Load.Planned, Sent: e.Load.Sent,
				Late: e.Load.Late, Dropped: e.Load.Dropped, Unacked: e.Load.Unacked, Rate: e.Load.Rate,
				DurationS: e.Load.Elapsed.Seconds(), Latency: e.Load.Latency})
		case e.Fault != nil && e.Fault.Change == "removed":
			out.Faults = append(out.Faults, report.Fault{ID: e.Fault.ID, Target: e.Fault.Target, Kind: e.Fault.Kind,
				Planned: e.Fault.Planned, Matched: e.Fault.Matched, Applied: e.Fault.Applied})
			for i := range out.Marks {
				if m := &out.Marks[i]; m.Kind == "fault" && m.Label == e.Fault.ID {
					m.DurationMS = ms(e.At) - m.AtMS
				}
			}
		case e.Fault != nil && e.Fault.Change == "armed":
			out.Marks = append(out.Marks, report.Mark{Kind: "fault", Label: e.Fault.ID, AtMS: ms(e.At), OK: true})
		case e.Advance != nil:
			out.Marks = append(out.Marks, report.Mark{Kind: "advance", Label: e.Advance.By.String(), AtMS: ms(e.At), OK: true})
		}
	}
	out.Latency = thin(out.Latency, most)
	out.Requests = len(requests)
	refused := slices.DeleteFunc(slices.Clone(requests), func(m report.Mark) bool { return m.OK })
	acked := slices.DeleteFunc(requests, func(m report.Mark) bool { return !m.OK })
	out.Refused = len(refused)
	refused = thin(refused, max(most/2, most-len(acked))) // what went wrong is looked for first
	out.Marks = append(out.Marks, append(refused, thin(acked, most-len(refused))...)...)
	slices.SortStableFunc(out.Marks, func(a, b report.Mark) int { return cmp.Compare(a.AtMS, b.AtMS) })
}

// thin keeps at most n values, evenly spread, so that a page with thousands of requests
// stays small.
func thin[T any](values []T, n int) []T {
	if len(values) <= n {
		return values
	}
	out := make([]T, n)
	for i := range out {
		out[i] = values[i*len(values)/n]
	}
	return out
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func relative(base, path string) string {
	r, err := filepath.Rel(base, path)
	if err != nil {
		return path
	}
	return r
}
