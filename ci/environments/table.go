package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

// column is one environment: the outcome of each scenario by id.
type column struct {
	name     string
	outcomes map[string]report.Scenario
	// cannot are those that are left out, for a reason that lies in what they do.
	cannot map[string]bool
}

// notAsPods are the scenarios that need the gateway to be something else than a Pod, such as
// those that crash it at a named step.
func notAsPods(ids []string) (map[string]bool, error) {
	files, err := scenario.Files("scenarios")
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, file := range files {
		s, err := scenario.Load(file)
		if err != nil {
			return nil, err
		}
		s.RunAs(scenario.Cluster)
		for _, v := range s.Variants() {
			if slices.Contains(ids, s.ID) && v.Needs.System != scenario.Cluster {
				out[s.ID] = true
			}
		}
	}
	return out, nil
}

func (c *column) fill(r report.Report) {
	c.outcomes = map[string]report.Scenario{}
	for _, run := range r.Runs {
		for _, s := range run.Scenarios {
			c.outcomes[s.ID] = s
		}
	}
}

func (c *column) passed(ids []string) (n int) {
	for _, id := range ids {
		if c.outcomes[id].Status == report.Passed {
			n++
		}
	}
	return n
}

// parse reads one id a line, and leaves out what follows a #.
func parse(text string) []string {
	var ids []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if id := strings.TrimSpace(line); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// table is one row for each id and one cell for each column; green says that every cell
// passed. A scenario that did not run is not green, but where it cannot.
func table(ids []string, columns []column) (text string, green bool) {
	var b bytes.Buffer
	row := func(first string, cell func(column) string) {
		fmt.Fprintf(&b, "%-10s", first)
		for _, c := range columns {
			fmt.Fprintf(&b, "%-22s", cell(c))
		}
		b.WriteByte('\n')
	}
	row("", func(c column) string { return c.name })
	green = len(ids) > 0
	for _, id := range ids {
		row(id, func(c column) string {
			s, ran := c.outcomes[id]
			if c.cannot[id] {
				return "not as a Pod"
			}
			green = green && s.Status == report.Passed
			if !ran {
				return "did not run"
			}
			return fmt.Sprintf("%s %.1f s", s.Status, s.DurationS)
		})
	}
	row("green", func(c column) string { return fmt.Sprintf("%d of %d", c.passed(ids), len(ids)-len(c.cannot)) })
	return b.String(), green
}

// firstLine passes on the first line that is written.
type firstLine struct {
	buf   bytes.Buffer
	found chan string
	done  bool
}

// Write never fails.
func (f *firstLine) Write(b []byte) (int, error) {
	if f.done {
		return len(b), nil
	}
	f.buf.Write(b)
	if line, _, ok := strings.Cut(f.buf.String(), "\n"); ok {
		f.done = true
		f.found <- line
	}
	return len(b), nil
}
