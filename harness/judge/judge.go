// Package judge decides from a history alone whether the promises P1 to P9 were kept. It
// never touches a live system, so a saved run can be judged again, also by a later judge.
//
//	assumptions ── not met ──> inconclusive, with that one cause; nothing else is believed
//	     │ met
//	     v
//	faults ─── one hit nothing ──> inconclusive, unless a promise was broken all the same
//	     │
//	     v
//	promises ── the earliest break is the first cause; what follows from it stays behind it
//
// Judge is pure and takes time linear in the history: whatever it asks is indexed by
// incident, group or name first. Its verdicts are pass, fail, inconclusive (the evidence is
// not there; never a pass) and not-judged (the system does not make the promise, or no
// secret was planted). P8 is about several runs: see Agree.
//
// What the judge believes: what was sent, what was answered, and what was seen in
// Kubernetes and Redis. It works out an alert's identity and group itself, from the labels
// and the rules in the Begin event, and checks the gateway's fingerprints against them. A
// request without an answer may or may not have taken effect, and so may one that was
// answered 5xx; one answered 4xx did not. A watch reports with a delay, so an object is
// known to have been created between the request that asked for it and the first sign of
// it. Where times leave room, the judge fails only what is certain.
package judge

import (
	"fmt"
	"slices"

	"github.com/stormproof/stormproof/harness/history"
)

// Outcome of a promise or of a whole history.
type Outcome string

// The outcomes.
const (
	Pass         Outcome = "pass"
	Fail         Outcome = "fail"
	Inconclusive Outcome = "inconclusive"
	NotJudged    Outcome = "not-judged"
)

// Promises are all that can be asked of a system, in the order of their numbers.
var Promises = []string{"P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9"}

// Finding is what the judge says about one promise.
type Finding struct {
	Outcome Outcome `json:"outcome"`
	// Why is one line; "" for a pass.
	Why string `json:"why,omitempty"`
	// Evidence are the Seq numbers of the events that show it.
	Evidence []int64 `json:"evidence,omitempty"`
}

// Verdict is the outcome of a history.
type Verdict struct {
	Promises map[string]Finding
	// Assumption is what the history lacks to be believed, nil normally.
	Assumption *Finding
	// Faults are those that were armed and hit less than was planned.
	Faults []history.Fault
}

// rules are the promises that one history can show. Of two that are broken at the same
// event the one that stands first here is the cause.
var rules = []struct {
	promise string
	check   func(*evidence, *breach)
}{
	{"P7", isolated}, {"P6", answered}, {"P2", unique}, {"P1", visible}, {"P3", bounded},
	{"P5", counted}, {"P4", orphans}, {"P9", secret},
}

// Judge decides on one history.
func Judge(events []history.Event) Verdict {
	v := Verdict{Promises: map[string]Finding{"P8": {Outcome: NotJudged, Why: "needs several runs"}}}
	e, missing := gather(events)
	v.Assumption = missing
	for _, rule := range rules {
		switch {
		case missing != nil:
			v.Promises[rule.promise] = *missing
		case len(e.begin.Promises) > 0 && !slices.Contains(e.begin.Promises, rule.promise):
			v.Promises[rule.promise] = Finding{Outcome: NotJudged, Why: "the system does not promise it"}
		default:
			var b breach
			rule.check(e, &b)
			v.Promises[rule.promise] = b.finding()
		}
	}
	if missing == nil {
		v.Faults = e.idleFaults()
	}
	return v
}

// Outcome is the worst of the promises; a fault that hit nothing makes it inconclusive.
func (v Verdict) Outcome() Outcome {
	out := Pass
	if len(v.Faults) > 0 || v.Assumption != nil {
		out = Inconclusive
	}
	for _, f := range v.Promises {
		switch f.Outcome {
		case Fail:
			return Fail
		case Inconclusive:
			out = Inconclusive
		}
	}
	return out
}

// Cause is the first cause: the promise that it broke, "" for an assumption or a fault, and
// the finding. A pass has none: then the finding's Outcome is Pass.
func (v Verdict) Cause() (promise string, f Finding) {
	if v.Assumption != nil {
		return "", *v.Assumption
	}
	if p, f := v.earliest(Fail); p != "" {
		return p, f
	}
	for _, f := range v.Faults {
		return "", Finding{Outcome: Inconclusive, Why: fmt.Sprintf("fault %s (%s %s) was armed and hit %s: the scenario did not test it",
			f.ID, f.Target, f.Kind, hits(f))}
	}
	if p, f := v.earliest(Inconclusive); p != "" {
		return p, f
	}
	return "", Finding{Outcome: Pass}
}

func hits(f history.Fault) string {
	if f.Applied == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%d times of %d", f.Applied, f.Planned)
}

// FirstCause is Cause in one line, "" for a pass.
func (v Verdict) FirstCause() string {
	promise, f := v.Cause()
	if promise == "" {
		return f.Why
	}
	return promise + ": " + f.Why
}

// earliest finds the finding of an outcome with the earliest evidence.
func (v Verdict) earliest(want Outcome) (promise string, first Finding) {
	for _, rule := range rules {
		f := v.Promises[rule.promise]
		if f.Outcome == want && (promise == "" || at(f) < at(first)) {
			promise, first = rule.promise, f
		}
	}
	return promise, first
}

// at is where a finding shows; one without evidence comes last.
func at(f Finding) int64 {
	if len(f.Evidence) == 0 {
		return 1 << 62
	}
	return slices.Min(f.Evidence)
}

// breach keeps the earliest of the breaks that a rule reports; of several at one event, the
// first that was reported.
type breach struct{ first *Finding }

func (b *breach) fail(seq int64, format string, args ...any) { b.keep(Fail, seq, format, args) }

func (b *breach) unclear(seq int64, format string, args ...any) {
	b.keep(Inconclusive, seq, format, args)
}

func (b *breach) keep(outcome Outcome, seq int64, format string, args []any) {
	if b.first != nil {
		worse := b.first.Outcome == Inconclusive && outcome == Fail
		if b.first.Outcome == Fail && outcome != Fail || !worse && at(*b.first) <= seq {
			return
		}
	}
	b.first = &Finding{Outcome: outcome, Why: fmt.Sprintf(format, args...), Evidence: []int64{seq}}
}

func (b *breach) finding() Finding {
	if b.first == nil {
		return Finding{Outcome: Pass}
	}
	return *b.first
}
