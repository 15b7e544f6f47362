// Package judge decides from a history alone whether the promises P1 to P9 were kept. It
// never touches a live system, so a saved run can be judged again, also by a later judge.
//
// Judge is pure. Its verdicts are pass, fail, inconclusive (the evidence is not there; never
// a pass) and not-judged (P8 and P9 need more than one history, or other means). Of P4 it
// judges that every key has a TTL.
//
// What the judge believes: what was sent, what was answered, and what was seen in
// Kubernetes and Redis. It works out an alert's identity and group itself, from the labels
// and the rules in the Begin event, and checks the gateway's fingerprints against them. A
// request without an answer may or may not have taken effect, and both are allowed. A watch
// reports with a delay, so an object is known to have been created between the request that
// asked for it and the first sign of it.
package judge

import (
	"fmt"
	"maps"
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

// Finding is what the judge says about one promise.
type Finding struct {
	Outcome Outcome
	// Why is one line; "" for a pass.
	Why string
	// Evidence are the Seq numbers of the events that show it.
	Evidence []int64
}

// Verdict is the outcome of a history.
type Verdict struct {
	Promises map[string]Finding
	// Faults are those that were armed and hit nothing.
	Faults []history.Fault
}

// Outcome is the worst of the promises; a fault that hit nothing makes it inconclusive.
func (v Verdict) Outcome() Outcome {
	out := Pass
	if len(v.Faults) > 0 {
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

// FirstCause is the earliest failure in one line, else the first thing that is inconclusive.
func (v Verdict) FirstCause() string {
	best, bestSeq := "", int64(-1)
	for _, want := range []Outcome{Fail, Inconclusive} {
		for _, name := range slices.Sorted(maps.Keys(v.Promises)) {
			f := v.Promises[name]
			if f.Outcome != want {
				continue
			}
			seq := int64(1 << 62)
			if len(f.Evidence) > 0 {
				seq = slices.Min(f.Evidence)
			}
			if bestSeq < 0 || seq < bestSeq {
				best, bestSeq = name+": "+f.Why, seq
			}
		}
		if best != "" {
			return best
		}
	}
	for _, f := range v.Faults {
		return fmt.Sprintf("fault %s (%s %s) was armed and hit nothing: the scenario tested nothing", f.ID, f.Target, f.Kind)
	}
	return ""
}

// Judge decides on one history.
func Judge(events []history.Event) Verdict {
	v := Verdict{Promises: map[string]Finding{
		"P8": {Outcome: NotJudged, Why: "needs several runs"},
		"P9": {Outcome: NotJudged, Why: "needs logs and metrics"},
	}}
	judged := map[string]func(*evidence) Finding{"P1": visible, "P2": unique, "P3": bounded, "P4": expiring, "P5": counted, "P6": answered, "P7": isolated}
	e, why := gather(events)
	for name, decide := range judged {
		if e != nil && len(e.begin.Promises) > 0 && !slices.Contains(e.begin.Promises, name) {
			v.Promises[name] = Finding{Outcome: NotJudged, Why: "the system does not promise it"}
			continue
		}
		if why != "" {
			v.Promises[name] = Finding{Outcome: Inconclusive, Why: why}
			continue
		}
		v.Promises[name] = decide(e)
	}
	if e != nil {
		v.Faults = e.idleFaults()
	}
	return v
}

func pass() Finding { return Finding{Outcome: Pass} }

func fail(seq int64, format string, args ...any) Finding {
	return Finding{Outcome: Fail, Why: fmt.Sprintf(format, args...), Evidence: []int64{seq}}
}
