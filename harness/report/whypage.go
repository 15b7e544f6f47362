package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// fact is a line of the page: a name and what it says.
type fact struct{ name, text string }

func (s *Scenario) facts() []fact {
	w := s.Why
	var out []fact
	add := func(name, text string) {
		if text != "" {
			out = append(out, fact{name, clean(text)})
		}
	}
	if w.Step != "" {
		add("step", fmt.Sprintf("%s of %d: %s", w.Step, w.Steps, oneLine(w.StepName)))
	}
	add("case", w.Case)
	add("at", w.Position)
	add("check", w.Check)
	add("because", w.Because)
	seed := fmt.Sprintf("%d", w.Seed)
	if w.Rounds > 1 {
		seed += fmt.Sprintf(", round %d of %d", w.Round, w.Rounds)
	}
	add("seed", seed)
	return out
}

// Page is the whole failure as plain text, the first cause first; colour adds escape
// sequences for a terminal. It is "" for a green scenario.
func (s *Scenario) Page(colour bool) string {
	if s.Status == Passed {
		return ""
	}
	p := pen{colour: colour}
	if s.Why == nil {
		p.line(cmp.Or(clean(s.Detail), causeOf(s)))
		p.fact("replay", oneLine(s.Replay))
		return p.String()
	}
	for _, f := range s.facts() {
		p.fact(f.name, f.text)
	}
	p.diff(clean(s.Why.Diff))
	for _, note := range s.Why.Notes {
		p.line(clean(note))
	}
	if w := s.Why.Waited; w != nil {
		p.fact("waited", clean(strings.Join(w.Lines(), "\n")))
	}
	if n := len(s.Why.Also); n > 0 {
		p.line("and " + count(n, "more finding") + ", see why.md")
	}
	p.fact("replay", oneLine(s.Replay))
	if s.Why.Evidence != "" {
		p.fact("evidence", oneLine(s.Why.Evidence))
	}
	return p.String()
}

// pen writes a page, in colour or not.
type pen struct {
	strings.Builder
	colour bool
}

func (p *pen) paint(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *pen) line(text string) {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	p.WriteString(strings.TrimRight(text, "\n"))
}

func (p *pen) fact(name, text string) {
	const column = 9
	p.line(p.paint("1", fmt.Sprintf("%-*s", column-1, name)) + " " + hang(text, column))
}

// diff paints what was wanted green and what came red.
func (p *pen) diff(text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "-"):
			line = p.paint("32", line)
		case strings.HasPrefix(line, "+"):
			line = p.paint("31", line)
		}
		p.line(line)
	}
}

// hang indents all lines but the first.
func hang(s string, by int) string {
	return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", by))
}

// Markdown is the page as why.md: verdict, diff, timeline with faults, replay. run counts
// from 1.
func (s *Scenario) Markdown(run int) string {
	var b strings.Builder
	block := func(kind, text string) {
		if text = strings.TrimRight(clean(text), "\n"); text != "" {
			fmt.Fprintf(&b, "\n```%s\n%s\n```\n", kind, strings.ReplaceAll(text, "```", "'''"))
		}
	}
	fmt.Fprintf(&b, "# %s %s: %s\n\n%s\n", s.ID, oneLine(s.Title), s.Status, causeOf(s))
	if w := s.Why; w != nil {
		b.WriteByte('\n')
		for _, f := range s.facts() {
			fmt.Fprintf(&b, "- **%s**: %s\n", f.name, hang(f.text, 2))
		}
		block("diff", w.Diff)
		block("", strings.Join(w.Notes, "\n"))
		if w.Waited != nil {
			b.WriteString("\n## The wait\n")
			block("", strings.Join(w.Waited.Lines(), "\n"))
		}
	} else {
		block("", s.Detail)
	}
	b.WriteString("\n## Run it again\n")
	block("sh", s.Replay)
	fmt.Fprintf(&b, "\n## Timeline (run %d)\n", run)
	block("", cmp.Or(s.story(), "no step was begun"))
	if s.Why != nil && len(s.Why.Also) > 0 {
		b.WriteString("\n## What else was found\n\nThese came after the first cause, most of them because of it.\n\n")
		for _, also := range s.Why.Also {
			fmt.Fprintf(&b, "- %s\n", hang(clean(also), 2))
		}
	}
	if len(s.Residue) > 0 {
		b.WriteString("\n## Left behind\n\n")
		for _, r := range s.Residue {
			fmt.Fprintf(&b, "- %s\n", hang(clean(r), 2))
		}
	}
	return b.String()
}

// story tells steps, faults and advances in the order in which they happened, with the
// requests that were not acknowledged.
func (s *Scenario) story() string {
	type moment struct {
		at   float64
		text string
	}
	var list []moment
	for i, st := range s.Steps {
		mark := "ok  "
		if st.Failed {
			mark = "FAIL"
		}
		list = append(list, moment{st.StartMS, fmt.Sprintf("%s step %d: %s (%.0f ms)", mark, i+1, oneLine(st.Name), st.DurationMS)})
	}
	for _, m := range s.Marks {
		if m.Kind == "request" && m.OK {
			continue
		}
		list = append(list, moment{m.AtMS, fmt.Sprintf("       %s %s (%.0f ms)", m.Kind, oneLine(m.Label), m.DurationMS)})
	}
	slices.SortStableFunc(list, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	const most = 200
	var b strings.Builder
	for i, m := range list {
		if i == most {
			fmt.Fprintf(&b, "and %d more\n", len(list)-most)
			break
		}
		fmt.Fprintf(&b, "%9.0f ms  %s\n", m.at, m.text)
	}
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "fault %s (%s %s): planned %d, matched %d, applied %d\n",
			oneLine(f.ID), oneLine(f.Target), oneLine(f.Kind), f.Planned, f.Matched, f.Applied)
	}
	return b.String()
}
