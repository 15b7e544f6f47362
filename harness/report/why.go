package report

import (
	"fmt"
	"time"
)

// Why is what a person needs to know of a scenario that is not green: the first thing that
// went wrong, and nothing else. What followed from it is only counted.
type Why struct {
	// Check is what did not hold, in one line.
	Check string `json:"check"`
	// Because is the scenario's own reason for the check.
	Because string `json:"because,omitempty"`
	// Diff is a unified diff of expected and seen; "" where there are no two sides.
	Diff string `json:"diff,omitempty"`
	// Notes are further lines that help, for example the first refused answer.
	Notes []string `json:"notes,omitempty"`
	// Step is the number of the step, "3", or "3.2" inside of concurrently; "" outside.
	Step     string `json:"step,omitempty"`
	Steps    int    `json:"steps,omitempty"` // how many there are in all
	StepName string `json:"step_name,omitempty"`
	// Position is file:line of the step.
	Position string `json:"position,omitempty"`
	Waited   *Wait  `json:"waited,omitempty"`
	Seed     int64  `json:"seed"`
	// Case is the row of the scenario's table, "" where it has none.
	Case string `json:"case,omitempty"`
	// Round of Rounds in which it happened, from 1.
	Round  int `json:"round,omitempty"`
	Rounds int `json:"rounds,omitempty"`
	// Also are the findings that came after the first.
	Also []string `json:"also,omitempty"`
	// Folder holds the evidence, relative to the report's folder.
	Folder string `json:"folder,omitempty"`
	// Evidence is the same as typed in the folder where stormproof was started.
	Evidence string `json:"evidence,omitempty"`
}

// Wait is how a wait failed.
type Wait struct {
	WithinMS  float64 `json:"within_ms"`
	ElapsedMS float64 `json:"elapsed_ms"`
	Attempts  int     `json:"attempts"`
	// State is the last state seen, Error the last error, Gave what ended it early.
	State string `json:"state,omitempty"`
	Error string `json:"error,omitempty"`
	Gave  string `json:"gave_up,omitempty"`
}

// Lines is the wait in plain words.
func (w *Wait) Lines() []string {
	took := func(ms float64) time.Duration {
		return time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond)
	}
	out := []string{fmt.Sprintf("%d looks in %s, allowed were %s", w.Attempts, took(w.ElapsedMS), took(w.WithinMS))}
	if w.Gave != "" {
		out = append(out, "gave up early: "+w.Gave)
	}
	if w.State != "" {
		out = append(out, "last state: "+w.State)
	}
	if w.Error == "" {
		return append(out, "last error: none")
	}
	return append(out, "last error: "+w.Error)
}
