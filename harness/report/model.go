// Package report is the one model of results. Everything that people or machines read
// (report.json, junit.xml, summary.md, index.html) is written from a Report and from
// nothing else, so the four can never disagree.
//
// Start with Report; Write puts all four files into a folder, and Load reads report.json
// back, also that of older versions.
package report

import (
	"encoding/json"
	"time"
)

// Schema is the version of report.json.
const Schema = "stormproof.report/v1"

// Status is the outcome of a scenario. Nothing but Passed is green.
type Status string

// The outcomes, in rising precedence.
const (
	Passed       Status = "passed"
	Inconclusive Status = "inconclusive"
	Failed       Status = "failed"
	HarnessError Status = "harness_error"
	EnvError     Status = "environment"
	// Skipped exists only to be refused: a spec that did not run counts as a failure.
	Skipped Status = "skipped"
)

// Report is the result of one invocation: one or more runs of the catalogue.
type Report struct {
	Schema      string      `json:"schema"`
	Title       string      `json:"title"`
	Started     time.Time   `json:"started"`
	Environment Environment `json:"environment"`
	Runs        []Run       `json:"runs"`
	Totals      Totals      `json:"totals"`
	Gate        *Gate       `json:"gate,omitempty"`
	Flake       *Flake      `json:"flake,omitempty"`
	// Trend holds earlier results of this suite, oldest first; this report is not in it.
	Trend []Past `json:"trend,omitempty"`
}

// Past is one point of the way here: the result of an earlier invocation.
type Past struct {
	Label string    `json:"label"`
	When  time.Time `json:"when"`
	// Passed of Scenarios executions were green.
	Passed    int `json:"passed"`
	Scenarios int `json:"scenarios"`
}

// Environment says what the run stood on, and why each part was chosen.
type Environment struct {
	Choices []Choice `json:"choices"`
	// Commit, Tree and Dirty identify the code; Tree is the hash of the git tree.
	Commit string `json:"commit,omitempty"`
	Tree   string `json:"tree,omitempty"`
	Dirty  bool   `json:"dirty,omitempty"`
	Go     string `json:"go"`
	OS     string `json:"os"`
	CPUs   int    `json:"cpus"`
	Race   bool   `json:"race"`
	// StartedMS is how long the environment took to come up, in milliseconds.
	StartedMS int64 `json:"started_ms"`
	// StartRetries counts silent restarts of the control plane; 0 is expected.
	StartRetries int `json:"start_retries"`
}

// Choice is one decision about the environment.
type Choice struct {
	Part   string `json:"part"`
	Chosen string `json:"chosen"`
	Reason string `json:"reason"`
}

// Run is one execution of the selected scenarios by one set of processes.
type Run struct {
	Seed int64 `json:"seed"`
	// Order is "random" or "catalogue".
	Order     string     `json:"order"`
	Procs     int        `json:"procs"`
	Started   time.Time  `json:"started"`
	DurationS float64    `json:"duration_s"`
	Scenarios []Scenario `json:"scenarios"`
	// Error says why the run as a whole did not finish, "" when it did.
	Error string `json:"error,omitempty"`
}

// Scenario is the outcome of one scenario in one run.
type Scenario struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Category  string    `json:"category"`
	File      string    `json:"file"`
	Status    Status    `json:"status"`
	Started   time.Time `json:"started"`
	DurationS float64   `json:"duration_s"`
	// Promises maps P1..P9 to pass, fail, inconclusive or not-judged.
	Promises map[string]string `json:"promises"`
	// FirstCause is the first thing that went wrong, in one line; "" when green.
	FirstCause string `json:"first_cause"`
	// Signature groups repeats of one cause over runs and scenarios: FirstCause with its
	// numbers and names removed.
	Signature string `json:"signature"`
	// Replay is the command that runs this scenario again with the same seed.
	Replay string `json:"replay"`
	// Detail is the whole message of a failure as plain text.
	Detail string `json:"detail,omitempty"`
	// Why is the same in its parts; nil when green, or when the harness could not tell.
	Why     *Why     `json:"why,omitempty"`
	Steps   []Step   `json:"steps"`
	Faults  []Fault  `json:"faults"`
	Residue []string `json:"residue"`
	// Requests and Refused count all requests of the last round, and those of them that were
	// not acknowledged; Marks and Latency hold a sample where they are many.
	Requests int          `json:"requests,omitempty"`
	Refused  int          `json:"refused,omitempty"`
	Marks    []Mark       `json:"marks,omitempty"`
	Latency  []float64    `json:"latency_ms,omitempty"`
	Loads    []LoadResult `json:"loads,omitempty"`
	// Artefacts are paths relative to the report's folder.
	Artefacts []string `json:"artefacts,omitempty"`
}

// LoadResult is what came of a load step.
type LoadResult struct {
	ID      string `json:"id"`
	Planned int    `json:"planned"`
	Sent    int    `json:"sent"`
	Late    int    `json:"late"`
	Dropped int    `json:"dropped"`
	// Unacked were sent and not acknowledged.
	Unacked int `json:"unacked"`
	// Rate is what was aimed at, in requests a second; 0 for a closed loop.
	Rate float64 `json:"rate"`
	// DurationS is from the start to the last answer.
	DurationS float64 `json:"duration_s"`
	// Latency holds count, p50Ms, p90Ms, p95Ms, p99Ms, p999Ms, maxMs, and as hdr the whole
	// distribution: an HdrHistogram in microseconds, V2 compressed, base64.
	Latency json.RawMessage `json:"latency"`
}

// Step is one step of a scenario's timeline.
type Step struct {
	Name       string  `json:"name"`
	StartMS    float64 `json:"start_ms"`
	DurationMS float64 `json:"duration_ms"`
	Failed     bool    `json:"failed,omitempty"`
}

// Mark is a thing that happened at one moment or over a while: a request or a fault.
type Mark struct {
	// Kind is request, fault or advance.
	Kind       string  `json:"kind"`
	Label      string  `json:"label"`
	AtMS       float64 `json:"at_ms"`
	DurationMS float64 `json:"duration_ms"`
	// OK is false for a request that was not acknowledged.
	OK bool `json:"ok"`
}

// Fault is the receipt of one injected fault.
type Fault struct {
	ID      string `json:"id"`
	Target  string `json:"target"`
	Kind    string `json:"kind"`
	Planned int64  `json:"planned"`
	Matched int64  `json:"matched"`
	Applied int64  `json:"applied"`
}

// Totals count scenario executions over all runs; Expected is catalogue x runs.
type Totals struct {
	Expected  int `json:"expected"`
	Scenarios int `json:"scenarios"`
	Passed    int `json:"passed"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
}

// Gate is the verdict over all criteria.
type Gate struct {
	// Verdict is pass or fail.
	Verdict  string      `json:"verdict"`
	Criteria []Criterion `json:"criteria"`
}

// Criterion is one thing that the gate demands.
type Criterion struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
	Pass bool   `json:"pass"`
}

// Flake says what the evidence is worth: how often could this suite still be red by chance?
type Flake struct {
	// Runs and Failures count whole runs of this tree in the kept history.
	Runs     int `json:"runs"`
	Failures int `json:"failures"`
	// UpperBound95 is the one-sided 95 % upper bound on the chance that a run is red.
	UpperBound95 float64 `json:"upper_bound_95"`
	Method       string  `json:"method"`
	// RunsFor5Pct and RunsFor1Pct are the further green runs needed for a bound of 5 % and 1 %.
	RunsFor5Pct int `json:"runs_for_5pct"`
	RunsFor1Pct int `json:"runs_for_1pct"`
	// Power maps "p05" and "p20" to the chance that the gate notices a suite that is red
	// 5 % or 20 % of the time.
	Power map[string]float64 `json:"power"`
}

// Count fills Totals from the runs; expected is the number of scenarios that each run
// should have executed.
func (r *Report) Count(expected int) {
	t := Totals{Expected: expected * len(r.Runs)}
	for _, run := range r.Runs {
		for _, s := range run.Scenarios {
			t.Scenarios++
			switch s.Status {
			case Passed:
				t.Passed++
			case Skipped:
				t.Skipped++
			default:
				t.Failed++
			}
		}
	}
	r.Totals = t
}

// Green reports whether every expected scenario ran and passed in every run.
func (r *Report) Green() bool {
	for _, run := range r.Runs {
		if run.Error != "" {
			return false
		}
	}
	t := r.Totals
	return t.Expected > 0 && t.Expected == t.Scenarios && t.Passed == t.Scenarios
}
