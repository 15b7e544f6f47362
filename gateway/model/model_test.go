package model

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	soak = flag.Int("soak", 0, "how many schedules TestSoak plays; 0 leaves it out")
	seed = flag.Uint64("seed", 0, "where TestSoak begins; 0 takes the time")
	play = flag.String("plan", "", "a schedule that TestSoak plays, and tells, instead")
)

// TestTheProtocolHolds is the short version of the soak, the same each time.
func TestTheProtocolHolds(t *testing.T) {
	if f := newExplorer(t, bug{}).search(100, 1); f != nil {
		t.Error(f)
	}
}

// TestProtocolBugsAreFound: the model sees what it is for.
func TestProtocolBugsAreFound(t *testing.T) {
	for _, b := range bugs() {
		if b.rare {
			continue // the soak looks for it: it takes a while
		}
		t.Run(b.name, func(t *testing.T) {
			f := newExplorer(t, b).search(1000, 1)
			if f == nil {
				t.Fatalf("not found in 1000 schedules: a protocol that %s", b.what)
			}
			if !strings.Contains(b.promises, f.violation.promise) {
				t.Errorf("broke %s, not %s: %s", f.violation.promise, b.promises, f)
			}
		})
	}
}

// TestAPlanIsReadAsItWasWritten: or a violation could not be played again.
func TestAPlanIsReadAsItWasWritten(t *testing.T) {
	const text = "s31.1.0 t7.0.0 x1.0.0 a0.0.0"
	p, err := read(text)
	if err != nil || p.String() != text || len(p) != 4 {
		t.Errorf("%q is read as %q: %v", text, p, err)
	}
	if _, err := read("s31"); err == nil {
		t.Error("half of a step was taken")
	}
}

// TestAScheduleDoesTheSameEachTime: or nothing could be shrunk.
func TestAScheduleDoesTheSameEachTime(t *testing.T) {
	p, err := read("s31.1.0 s21.0.1 r3.0.0 r2.0.0 l1.0.0 g0.0.0 t0.0.0 r1.0.0 x0.0.0 y0.1.0 a0.0.0 e1.0.0 t7.0.0 s63.2.1 r0.0.0 f0.0.0 a0.0.0 c0.0.0")
	if err != nil {
		t.Fatal(err)
	}
	x := newExplorer(t, bug{})
	_, first := x.play(p)
	for range 5 {
		_, again := x.play(p)
		if fmt.Sprint(again) != fmt.Sprint(first) {
			t.Fatalf("once it went\n%q\nand then\n%q", first, again)
		}
	}
}

// TestSoak is `make soak`: many schedules of the real protocol, and a hunt for each bug.
func TestSoak(t *testing.T) {
	switch {
	case *play != "":
		replay(t)
		return
	case *soak == 0:
		return // `make soak` asks for it
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	fmt.Printf("seed %d\n", *seed)
	for _, b := range bugs() {
		f := newExplorer(t, b).search(10000, *seed)
		if f == nil {
			t.Fail()
			fmt.Printf("NOT FOUND in 10000 schedules: %s, which %s\n", b.name, b.what)
			continue
		}
		fmt.Printf("found after %4d schedules, broke %s: %s, which %s\n", f.after, f.violation.promise, b.name, b.what)
	}
	const round = 500
	played, violations, begin := 0, 0, time.Now()
	for i := uint64(0); played < *soak && violations < 3; i++ {
		x, n := newExplorer(t, bug{}), min(round, *soak-played)
		if f := x.search(n, *seed+i*1e6); f != nil {
			violations++
			played += f.after + 1
			t.Fail()
			fmt.Printf("violation %d\n%s\n", violations, f)
			continue
		}
		played += n
		fmt.Printf("%d schedules, %d violations, %s\n", played, violations, time.Since(begin).Round(time.Second))
	}
	summary = fmt.Sprintf("%d schedules, %d violations", played, violations)
}

// replay tells one schedule.
func replay(t *testing.T) {
	p, err := read(*play)
	if err != nil {
		t.Fatal(err)
	}
	v, story := newExplorer(t, bug{}).play(p)
	for _, line := range story {
		fmt.Println("  " + line)
	}
	summary = "1 schedules, 0 violations"
	if v != nil {
		t.Fail()
		fmt.Println(v)
		summary = "1 schedules, 1 violations"
	}
}

// summary is the last line of a soak.
var summary string

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if summary != "" {
		fmt.Println(summary)
	}
	os.Exit(code)
}
