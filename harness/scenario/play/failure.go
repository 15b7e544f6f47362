package play

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/internal/diff"
	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario/expr"
)

// failure is a check that did not hold: a fault of the system, not of the harness. The
// parts after text are for the page of the failure; each may be empty.
type failure struct {
	text    string
	because string
	diff    string
	notes   []string
	waited  *wait.Error
}

// Error prints everything, for a reader who has only the error.
func (f *failure) Error() string {
	parts := []string{f.text}
	if f.because != "" {
		parts = append(parts, "because: "+f.because)
	}
	if f.diff != "" {
		parts = append(parts, f.diff)
	}
	return strings.Join(append(parts, f.notes...), "\n")
}

// Unwrap lets a caller ask whether it was a wait that failed.
func (f *failure) Unwrap() error {
	if f.waited == nil {
		return nil
	}
	return f.waited
}

func failf(format string, args ...any) error { return &failure{text: fmt.Sprintf(format, args...)} }

// IsFailure reports whether err says that the system under test misbehaved.
func IsFailure(err error) bool {
	var f *failure
	return errors.As(err, &f)
}

// stepError says in which step something went wrong. Steps inside of a concurrently or a
// sequence make one for each level.
type stepError struct {
	// list is the field that holds the step: steps, concurrently or sequence.
	list string
	// index of the step in its list, from 0.
	index int
	name  string
	err   error
}

// Error is the step and the error.
func (e *stepError) Error() string {
	return fmt.Sprintf("step %d (%s): %v", e.index+1, e.name, e.err)
}

// Unwrap returns what went wrong.
func (e *stepError) Unwrap() error { return e.err }

// countsMismatch is a failure when exact counts differ; zero and absent are the same.
func countsMismatch(what string, want, got map[string]int) *failure {
	all := map[string]bool{}
	for _, m := range []map[string]int{want, got} {
		for k := range m {
			all[k] = true
		}
	}
	expected, seen := map[string]int{}, map[string]int{}
	equal := true
	for k := range all {
		equal = equal && want[k] == got[k]
		if want[k] != 0 || got[k] == 0 {
			expected[k] = want[k]
		}
		if got[k] != 0 {
			seen[k] = got[k]
		}
	}
	if equal {
		return nil
	}
	return &failure{text: fmt.Sprintf("%s: expected %s, seen %s", what, inline(expected), inline(seen)),
		diff: diff.Unified(counts(expected), counts(seen))}
}

// counts prints one "name: n" a line, in order.
func counts(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.ReplaceAll(diff.Text(m), `"`, "")
}

func inline(m map[string]int) string { return strings.ReplaceAll(counts(m), "\n", ", ") }

// falseExpression is the failure of an expression, with both sides filled in.
func falseExpression(check, because string, sides expr.Sides) *failure {
	f := &failure{text: check, because: because}
	if sides.Compared {
		f.diff = diff.Unified(diff.Text(sides.Expected), diff.Text(sides.Seen))
	}
	if sides.Part != "" {
		f.notes = append(f.notes, "false is: "+sides.Part)
	}
	for _, v := range sides.Values {
		f.notes = append(f.notes, "  "+v.String())
	}
	return f
}

// blame records something that went wrong. The first is the cause; what comes after it is
// only listed. A failure of the system outranks the kind that the caller assumes.
func (w *world) blame(out *report.Scenario, err error, doing string, kind report.Status) {
	if err == nil {
		return
	}
	text := err.Error()
	if doing != "" {
		text = doing + ": " + text
	}
	if out.Status != report.Passed {
		if out.Why != nil {
			out.Why.Also = append(out.Why.Also, text)
		}
		return
	}
	out.Status = kind
	var unhealthy *fault.UnhealthyError
	var unavailable *fault.UnavailableError
	switch {
	case IsFailure(err):
		out.Status = report.Failed
	case errors.As(err, &unhealthy), errors.As(err, &unavailable):
		out.Status = report.EnvError // what was seen says nothing of the system
	}
	out.FirstCause, _, _ = strings.Cut(text, "\n")
	out.Why = w.why(err, out.FirstCause)
	out.Detail = out.Page(false)
}

// why takes an error apart for the page.
func (w *world) why(err error, check string) *report.Why {
	s := w.scenario
	out := &report.Why{Check: check, Steps: len(s.Steps), Seed: w.host.Seed, Case: s.Case, Round: w.round, Rounds: max(1, s.Rounds)}
	var path []string
	var at *stepError
	for rest := err; errors.As(rest, &at); rest = at.err {
		if len(path) > 0 {
			out.Step += "."
		}
		path = append(path, at.list, strconv.Itoa(at.index))
		out.Step += strconv.Itoa(at.index + 1)
		out.StepName = at.name
		out.Check, _, _ = strings.Cut(at.err.Error(), "\n")
	}
	if out.Step != "" {
		file, line, _ := s.Position(strings.Join(path, "."))
		out.Position = fmt.Sprintf("%s:%d", shown(w.host.Root, file), line)
	}
	var f *failure
	if errors.As(err, &f) {
		out.Check, out.Because, out.Diff, out.Notes = f.text, f.because, f.diff, f.notes
	} else if _, rest, more := strings.Cut(err.Error(), "\n"); more {
		out.Notes = []string{diff.Cut(rest, 4000)}
	}
	var waited *wait.Error
	if errors.As(err, &waited) {
		out.Waited = waitOf(waited)
	}
	return out
}

func waitOf(e *wait.Error) *report.Wait {
	out := &report.Wait{WithinMS: ms(e.Within), ElapsedMS: ms(e.Elapsed), Attempts: e.Attempts, State: e.State}
	if e.Last != nil {
		out.Error = e.Last.Error()
	}
	if e.Cause != nil {
		out.Gave = e.Cause.Error()
	}
	return out
}

// waitFailed is the failure of a wait for something that the system owes; err comes from
// package wait.
func waitFailed(err error) error {
	var waited *wait.Error
	if !errors.As(err, &waited) {
		return err
	}
	return &failure{text: fmt.Sprintf("expected within %s: %s", waited.Within.Round(time.Millisecond), waited.What), waited: waited}
}

// each takes joined errors apart, so that the first can be told from what followed.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if _, isWait := err.(*wait.Error); isWait { //nolint:errorlint // as above
			return []error{err}
		}
		var out []error
		for _, e := range joined.Unwrap() {
			out = append(out, each(e)...)
		}
		return out
	}
	if step, ok := err.(*stepError); ok { //nolint:errorlint // as above
		var out []error
		for _, e := range each(step.err) {
			out = append(out, &stepError{step.list, step.index, step.name, e})
		}
		return out
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
