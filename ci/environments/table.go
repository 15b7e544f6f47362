package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stormproof/stormproof/harness/report"
)

// column is one environment: the outcome of each scenario by id.
type column struct {
	name     string
	outcomes map[string]report.Scenario
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
// passed. A scenario that did not run is not green.
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
			green = green && s.Status == report.Passed
			if !ran {
				return "did not run"
			}
			return fmt.Sprintf("%s %.1f s", s.Status, s.DurationS)
		})
	}
	row("green", func(c column) string { return fmt.Sprintf("%d of %d", c.passed(ids), len(ids)) })
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
