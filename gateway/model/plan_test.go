package model

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// op is one step of a schedule: what happens, and which of what is there it happens to.
// Numbers are taken modulo how many there are, so every list of ops is a schedule, and a
// shorter one still is.
type op struct {
	kind    byte
	a, b, c int
}

// The kinds of op.
const (
	opSend   = 's' // a: which alerts, bit by bit; b: which firing of theirs, or resolved; c: to which replica
	opRetry  = 'y' // a: which delivery that was not acknowledged; b: to which replica
	opRun    = 'r' // a: which waiting call is applied
	opAll    = 'a' // everything that waits runs, until nothing does
	opFail   = 'f' // a: which waiting call is not applied
	opLose   = 'l' // a: which waiting call is applied, unheard
	opAgain  = 'g' // a: which waiting script is applied, and waits again
	opCrash  = 'x' // a: which replica
	opFlush  = 'z' // Redis forgets everything
	opTime   = 't' // a: how long
	opSkew   = 'k' // a: which replica; b: by how much
	opDelete = 'd' // a: which object
	opEnd    = 'e' // a: which object turns terminal
	opStatus = 'c' // a: which replica writes its counters
)

// usual are the ops by how often they are drawn.
const usual = "rrrrrrrrrrrrrrrraaasssssssyyylllfffggtttttxzkdeec"

// plan is a schedule.
type plan []op

// plans draws schedules.
func plans() *rapid.Generator[plan] {
	one := rapid.Custom(func(t *rapid.T) op {
		o := op{kind: rapid.SampledFrom([]byte(usual)).Draw(t, "kind")}
		switch o.kind {
		case opSend:
			o.a, o.b, o.c = rapid.IntRange(1, 1<<len(alerts)-1).Draw(t, "alerts"), rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "firing"), rapid.IntRange(0, 1).Draw(t, "replica")
		case opRetry, opSkew:
			o.a, o.b = rapid.IntRange(0, 4).Draw(t, "which"), rapid.IntRange(0, 3).Draw(t, "what")
		case opAll, opFlush:
		default:
			o.a = rapid.IntRange(0, 8).Draw(t, "which")
		}
		return o
	})
	return rapid.Custom(func(t *rapid.T) plan { return rapid.SliceOfN(one, 10, 90).Draw(t, "ops") })
}

// String writes a plan so that read takes it.
func (p plan) String() string {
	var out []string
	for _, o := range p {
		out = append(out, fmt.Sprintf("%c%d.%d.%d", o.kind, o.a, o.b, o.c))
	}
	return strings.Join(out, " ")
}

// read reads a plan.
func read(text string) (plan, error) {
	var out plan
	for _, word := range strings.Fields(text) {
		var o op
		if _, err := fmt.Sscanf(word, "%c%d.%d.%d", &o.kind, &o.a, &o.b, &o.c); err != nil {
			return nil, fmt.Errorf("%q is no step of a schedule: %w", word, err)
		}
		out = append(out, o)
	}
	return out, nil
}

// shrink leaves out all that a violation does not need; broken plays a plan.
func (p plan) shrink(broken func(plan) bool) plan {
	for size := len(p) / 2; size > 0; {
		removed := false
		for i := 0; i+size <= len(p); {
			if less := append(append(plan{}, p[:i]...), p[i+size:]...); broken(less) {
				p, removed = less, true
			} else {
				i += size
			}
		}
		if !removed || size > 1 {
			size /= 2
		}
	}
	return p
}
