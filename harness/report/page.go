package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What keeps the page below a megabyte however many runs it shows: report.json has all.
const (
	// fullPerCause is how many executions of one scenario with one cause keep timeline and detail.
	fullPerCause = 2
	// fullFailures is how many executions that are not green keep them in all.
	fullFailures = 250
	maxMarks     = 240
	maxDetail    = 6000
	maxSlow      = 10
)

// The baseline that the way to today starts from.
const (
	baselineLabel  = "baseline: the project that inspired this one"
	baselinePassed = 52
	baselineAll    = 92
)

// Targets of the pass rate in per cent: what the gate demands, and the bar that any run
// must clear to be worth looking at.
const (
	targetRate = 100
	barRate    = 95
)

// page is what the dashboard's script reads. It is small on purpose: texts that repeat
// stand once in Strings and are named by index (-1 for none), numbers stand in arrays.
type page struct {
	Title       string         `json:"title"`
	Started     time.Time      `json:"started"`
	Environment Environment    `json:"environment"`
	Verdict     Verdict        `json:"verdict"`
	Totals      Totals         `json:"totals"`
	Flake       *Flake         `json:"flake"`
	Target      float64        `json:"target"`
	Bar         float64        `json:"bar"`
	Runs        []pageRun      `json:"runs"`
	Categories  []pageCategory `json:"categories"`
	Scenarios   []pageScenario `json:"scenarios"`
	Strings     []string       `json:"strings"`
	Trend       []pagePast     `json:"trend"`
	Latency     Histogram      `json:"latency"`
	Trimmed     bool           `json:"trimmed"`
}

type pageRun struct {
	Seed      string  `json:"seed"` // text: the script's numbers lose digits above 2^53
	Order     string  `json:"order"`
	Procs     int     `json:"procs"`
	DurationS float64 `json:"duration"`
	Passed    int     `json:"passed"`
	Total     int     `json:"total"`
	Error     string  `json:"error,omitempty"`
}

type pageCategory struct {
	Name   string   `json:"name"`
	Passed int      `json:"passed"`
	Total  int      `json:"total"`
	Runs   [][2]int `json:"runs"`
}

type pageScenario struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Category string `json:"category"`
	File     string `json:"file"`
	// Results has one entry per run; nil where the scenario did not run.
	Results []*pageResult `json:"results"`
}

type pageResult struct {
	Status    Status  `json:"s"`
	DurationS float64 `json:"d"`
	// Promises has one letter for each of P1..P9: p, f, i(nconclusive) or n(ot judged).
	Promises int `json:"p"`
	Cause    int `json:"c"`
	// Replay holds {seed} where the run's seed stands.
	Replay    int        `json:"r"`
	Detail    int        `json:"t"`
	Steps     [][4]any   `json:"st,omitempty"` // name, start ms, duration ms, failed 0/1
	Marks     [][5]any   `json:"m,omitempty"`  // kind, label, at ms, duration ms, ok 0/1
	Requests  [2]int     `json:"n"`            // all, and those not acknowledged; Marks may hold fewer
	Loads     []pageLoad `json:"l,omitempty"`
	Faults    []Fault    `json:"f,omitempty"`
	Residue   []string   `json:"x,omitempty"`
	Artefacts []string   `json:"a,omitempty"`
}

type pagePast struct {
	Label  string `json:"label"`
	When   string `json:"when"`
	Passed int    `json:"passed"`
	Total  int    `json:"total"`
}

// interner gives each text one number.
type interner struct {
	index map[string]int
	texts []string
}

func (in *interner) id(s string) int {
	if s == "" {
		return -1
	}
	if i, ok := in.index[s]; ok {
		return i
	}
	in.index[s] = len(in.texts)
	in.texts = append(in.texts, s)
	return len(in.texts) - 1
}

func newPage(r Report) page {
	texts := &interner{index: map[string]int{}, texts: []string{}}
	p := page{
		Title: r.Title, Started: r.Started, Environment: r.Environment,
		Verdict: r.Verdict(), Totals: r.Totals, Flake: r.Flake,
		Target: targetRate, Bar: barRate,
		Runs: pageRuns(r), Categories: pageCategories(r), Trend: pageTrend(r),
	}
	p.Scenarios, p.Trimmed = pageScenarios(r, texts)
	p.Strings = texts.texts
	var latencies []float64
	for _, run := range r.Runs {
		for _, s := range run.Scenarios {
			latencies = append(latencies, s.Latency...)
		}
	}
	p.Latency = NewHistogram(latencies)
	return p
}

func pageRuns(r Report) []pageRun {
	out := []pageRun{}
	for _, run := range r.Runs {
		var t tally
		for _, s := range run.Scenarios {
			t.add(s.Status)
		}
		out = append(out, pageRun{
			Seed: strconv.FormatInt(run.Seed, 10), Order: run.Order, Procs: run.Procs,
			DurationS: run.DurationS, Passed: t.passed, Total: t.total, Error: oneLine(run.Error),
		})
	}
	return out
}

func pageCategories(r Report) []pageCategory {
	out := []pageCategory{}
	all := rates(r)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := pageCategory{Name: name}
		for _, t := range all[name] {
			c.Passed += t.passed
			c.Total += t.total
			c.Runs = append(c.Runs, [2]int{t.passed, t.total})
		}
		out = append(out, c)
	}
	return out
}

func pageTrend(r Report) []pagePast {
	out := []pagePast{{Label: baselineLabel, Passed: baselinePassed, Total: baselineAll}}
	for _, t := range r.Trend {
		out = append(out, pagePast{Label: t.Label, When: day(t.When), Passed: t.Passed, Total: t.Scenarios})
	}
	if r.Totals.Scenarios > 0 {
		total := max(r.Totals.Expected, r.Totals.Scenarios)
		out = append(out, pagePast{Label: "this report", When: day(r.Started), Passed: r.Totals.Passed, Total: total})
	}
	return out
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// pageScenarios turns runs of scenarios into scenarios with runs, and reports whether
// anything was left out for size.
func pageScenarios(r Report, texts *interner) ([]pageScenario, bool) {
	byID := map[string]*pageScenario{}
	var order []string
	slowest := slowestGreen(r)
	budget := detailBudget{perCause: map[string]int{}}
	for i, run := range r.Runs {
		for j := range run.Scenarios {
			s := &run.Scenarios[j]
			ps := byID[s.ID]
			if ps == nil {
				ps = &pageScenario{ID: s.ID, Title: s.Title, Category: s.Category, File: s.File, Results: make([]*pageResult, len(r.Runs))}
				byID[s.ID] = ps
				order = append(order, s.ID)
			}
			whole := slowest[s.ID] == i
			if s.Status != Passed {
				whole = budget.take(s)
			}
			budget.trimmed = budget.trimmed || !whole
			ps.Results[i] = newPageResult(s, run.Seed, whole, texts)
		}
	}
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(strings.Compare(byID[a].Category, byID[b].Category), strings.Compare(a, b))
	})
	out := make([]pageScenario, 0, len(order))
	for _, id := range order {
		out = append(out, *byID[id])
	}
	return out, budget.trimmed
}

// slowestGreen maps each scenario to the run in which it was green and slowest: the one
// green timeline worth keeping.
func slowestGreen(r Report) map[string]int {
	at, longest := map[string]int{}, map[string]float64{}
	for i, run := range r.Runs {
		for _, s := range run.Scenarios {
			if _, seen := at[s.ID]; s.Status == Passed && (!seen || s.DurationS > longest[s.ID]) {
				at[s.ID], longest[s.ID] = i, s.DurationS
			}
		}
	}
	return at
}

type detailBudget struct {
	perCause map[string]int
	total    int
	trimmed  bool
}

func (b *detailBudget) take(s *Scenario) bool {
	key := s.ID + "\x00" + s.Signature
	if b.perCause[key] >= fullPerCause || b.total >= fullFailures {
		return false
	}
	b.perCause[key]++
	b.total++
	return true
}

func newPageResult(s *Scenario, seed int64, whole bool, texts *interner) *pageResult {
	res := &pageResult{
		Status: s.Status, DurationS: tenth(s.DurationS*100) / 100,
		Promises: texts.id(promiseLetters(s.Promises)),
		Cause:    -1, Detail: -1,
		Replay:  texts.id(strings.ReplaceAll(oneLine(s.Replay), strconv.FormatInt(seed, 10), "{seed}")),
		Residue: s.Residue,
	}
	if s.Status != Passed {
		res.Cause = texts.id(causeOf(s))
	}
	if !whole {
		return res
	}
	detail := clean(s.Detail)
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + "\n… (the rest is in report.json)"
	}
	res.Detail = texts.id(detail)
	res.Faults, res.Artefacts = s.Faults, s.Artefacts
	res.Requests = [2]int{s.Requests, s.Refused}
	for _, l := range s.Loads {
		res.Loads = append(res.Loads, newPageLoad(l))
	}
	for _, st := range s.Steps {
		res.Steps = append(res.Steps, [4]any{texts.id(oneLine(st.Name)), tenth(st.StartMS), tenth(st.DurationMS), bit(st.Failed)})
	}
	for _, m := range thin(s.Marks) {
		res.Marks = append(res.Marks, [5]any{texts.id(m.Kind), texts.id(oneLine(m.Label)), tenth(m.AtMS), tenth(m.DurationMS), bit(m.OK)})
	}
	return res
}

// thin keeps faults, advances and failed requests, and an even sample of the rest.
func thin(marks []Mark) []Mark {
	if len(marks) <= maxMarks {
		return marks
	}
	stride := (len(marks) + maxMarks - 1) / maxMarks
	var out []Mark
	for i, m := range marks {
		if i%stride == 0 || ((m.Kind != "request" || !m.OK) && len(out) < 2*maxMarks) {
			out = append(out, m)
		}
	}
	return out
}

func promiseLetters(promises map[string]string) string {
	letters := map[string]string{"pass": "p", "fail": "f", "inconclusive": "i"}
	var b strings.Builder
	for i := 1; i <= 9; i++ {
		b.WriteString(cmp.Or(letters[promises["P"+strconv.Itoa(i)]], "n"))
	}
	return b.String()
}

func tenth(v float64) float64 { return float64(int64(v*10+0.5)) / 10 }

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
