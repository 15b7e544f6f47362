package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

// progress tells how a run goes: one live line on a terminal, plain lines elsewhere, or
// JSON lines.
type progress struct {
	mu     sync.Mutex
	out    io.Writer
	mode   string
	colour bool
	run    int
	total  int
	done   int
	red    int
	start  time.Time
}

func newProgress(out io.Writer, mode string) *progress {
	p := &progress{out: out, mode: mode}
	isTerminal, colour := terminal(out)
	if mode == "auto" {
		p.mode = "plain"
		if isTerminal && os.Getenv("CI") == "" {
			p.mode = "live"
		}
	}
	p.colour = colour
	return p
}

// terminal reports whether out is one, and whether colours are wanted there (NO_COLOR).
func terminal(out io.Writer) (is, colour bool) {
	f, isFile := out.(*os.File)
	is = isFile && term.IsTerminal(int(f.Fd()))
	return is, is && os.Getenv("NO_COLOR") == ""
}

func (p *progress) begin(run int, seed int64, procs int, list []*scenario.Scenario) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run, p.total, p.done, p.red, p.start = run, len(list), 0, 0, time.Now()
	switch p.mode {
	case "none":
	case "json":
		p.line(map[string]any{"event": "run", "run": run, "seed": seed, "procs": procs, "scenarios": len(list)})
	default:
		fmt.Fprintf(p.out, "run %d: %d scenarios, seed %d, %d processes\n", run, len(list), seed, procs)
	}
}

// line prints a JSON object. Its parts are plain values, which always encode.
func (p *progress) line(v map[string]any) {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(`{"event":"error"}`)
	}
	fmt.Fprintf(p.out, "%s\n", b)
}

func (p *progress) finished(s report.Scenario) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if s.Status != report.Passed {
		p.red++
	}
	switch p.mode {
	case "none":
	case "json":
		p.line(map[string]any{"event": "scenario", "run": p.run, "id": s.ID, "status": s.Status, "duration_s": s.DurationS, "first_cause": s.FirstCause})
	case "live":
		if s.Status != report.Passed {
			fmt.Fprintf(p.out, "\r\x1b[K%s %s: %s\n", p.paint("31", string(s.Status)), s.ID, s.FirstCause)
		}
		fmt.Fprintf(p.out, "\r\x1b[K%s", p.bar(s))
	default:
		fmt.Fprintf(p.out, "  %3d/%d  %-12s %-8s %6.2fs  %s\n", p.done, p.total, s.Status, s.ID, s.DurationS, s.Title)
	}
}

// bar is the live line: how far, how many red, how long still, what came last.
func (p *progress) bar(s report.Scenario) string {
	const width = 24
	full := width * p.done / max(1, p.total)
	elapsed := time.Since(p.start)
	left := elapsed * time.Duration(p.total-p.done) / time.Duration(max(1, p.done))
	red := p.paint("32", "0 failed")
	if p.red > 0 {
		red = p.paint("31", fmt.Sprintf("%d failed", p.red))
	}
	return fmt.Sprintf("run %d [%s%s] %d/%d %s, about %s left  %s", p.run, strings.Repeat("█", full),
		strings.Repeat("░", width-full), p.done, p.total, red, left.Round(time.Second), s.ID)
}

func (p *progress) paint(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *progress) end(run report.Run) {
	p.mu.Lock()
	defer p.mu.Unlock()
	passed := 0
	for _, s := range run.Scenarios {
		if s.Status == report.Passed {
			passed++
		}
	}
	switch p.mode {
	case "none":
	case "json":
		p.line(map[string]any{"event": "end", "run": p.run, "passed": passed, "scenarios": len(run.Scenarios), "duration_s": run.DurationS, "error": run.Error})
	case "live":
		fmt.Fprintf(p.out, "\r\x1b[Krun %d: %d of %d passed in %.1f s\n", p.run, passed, len(run.Scenarios), run.DurationS)
	default:
		fmt.Fprintf(p.out, "run %d: %d of %d passed in %.1f s\n", p.run, passed, len(run.Scenarios), run.DurationS)
	}
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }
