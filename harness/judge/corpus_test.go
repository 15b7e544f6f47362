package judge

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/harness/history"
)

// The files of testdata/*.txt are histories written by hand. A case is
//
//	# its name
//	=== P1 fail: words of the first cause
//	  send a x
//	> 201 a created:o1          ">" marks the event that must be the evidence
//
// Its second line says the promise ("-" for an assumption or a fault) and the outcome.
// See script for the verbs.
type example struct {
	file, name, promise, cause string
	outcome                    Outcome
	// evidence is the Seq of the marked line, 0 for none.
	evidence int64
	events   []history.Event
}

var head = regexp.MustCompile(`^=== (P\d|-) ([a-z-]+)(?:: (.*))?$`)

func examples(t *testing.T, path string) (out []example) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var s *script
	name := ""
	for i, line := range append(strings.Split(string(b), "\n"), "#") {
		m := head.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "#"):
			if s != nil {
				out[len(out)-1].events = s.done()
			}
			name, s = strings.TrimSpace(line[1:]), nil
		case m != nil:
			s = newScript()
			out = append(out, example{file: filepath.Base(path), name: name, promise: m[1], outcome: Outcome(m[2]), cause: m[3]})
		case strings.TrimSpace(line) == "":
		case s == nil:
			t.Fatalf("%s:%d: a line outside of a case", path, i+1)
		default:
			if err := s.line(strings.Fields(strings.TrimPrefix(line, ">"))); err != nil {
				t.Fatalf("%s:%d: %v", path, i+1, err)
			}
			if line[0] == '>' {
				out[len(out)-1].evidence = s.events[len(s.events)-1].Seq
			}
		}
	}
	return out
}

func TestHistoriesWrittenByHand(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	good, bad := map[string]int{}, map[string]int{}
	for _, file := range files {
		for _, x := range examples(t, file) {
			if x.outcome == Pass {
				good[x.promise]++
			} else {
				bad[x.promise]++
			}
			t.Run(x.file+"/"+x.name, func(t *testing.T) { x.check(t) })
		}
	}
	for _, p := range []string{"P1", "P2", "P3", "P4", "P5", "P6", "P7"} {
		if good[p] < 4 || bad[p] < 8 {
			t.Errorf("%s has %d good and %d bad histories, want at least 4 and 8", p, good[p], bad[p])
		}
	}
}

// check compares the promise's finding, the first cause of all, and the evidence.
func (x example) check(t *testing.T) {
	v := Judge(x.events)
	if f := v.Promises[x.promise]; x.promise != "-" && f.Outcome != x.outcome {
		t.Errorf("%s is %s (%s), want %s", x.promise, f.Outcome, f.Why, x.outcome)
	}
	if x.outcome == NotJudged {
		return
	}
	if v.Outcome() != x.outcome {
		t.Errorf("the history is %s (%s), want %s", v.Outcome(), v.FirstCause(), x.outcome)
	}
	promise, f := v.Cause()
	if x.outcome == Pass {
		return
	}
	if want := strings.TrimPrefix(x.promise, "-"); promise != want {
		t.Errorf("the first cause is of %q, want %q: %s", promise, want, v.FirstCause())
	}
	if x.cause == "" || !strings.Contains(f.Why, x.cause) {
		t.Errorf("the first cause is %q, want one with %q", f.Why, x.cause)
	}
	if got := f.Evidence; x.evidence != 0 && (len(got) != 1 || got[0] != x.evidence) {
		t.Errorf("the evidence is event %v, want %d", got, x.evidence)
	}
}
