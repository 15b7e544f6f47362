package report

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
)

//go:embed assets/page.html.tmpl assets/*.css assets/*.js
var assets embed.FS

// view is what the template sees: what must be readable without the script, and the data
// for the script.
type view struct {
	Title, Started, Word, Headline, FlakeSentence, Commit string
	Policy                                                string
	Criteria                                              []Criterion
	Tiles                                                 []tile
	Failures                                              []Failure
	Slow                                                  []Seen
	Environment                                           Environment
	RunErrors                                             []string
	Style                                                 template.CSS
	Script                                                template.JS
	Data                                                  template.JS
}

type tile struct{ Label, Value, Note string }

// WriteHTML writes the dashboard: one file that needs nothing else, neither a network nor
// a folder beside it. Its content policy names its own style and script by their hash, so
// that nothing in the data could ever run.
func WriteHTML(w io.Writer, r Report) error {
	style, err := joinAssets("uPlot.min.css", "page.css")
	if err != nil {
		return err
	}
	script, err := joinAssets("uPlot.iife.min.js", "core.js", "charts.js", "timeline.js", "load.js", "detail.js", "app.js")
	if err != nil {
		return err
	}
	// Marshal escapes <, > and &, so no text in the data can end the script element.
	data, err := json.Marshal(newPage(r))
	if err != nil {
		return fmt.Errorf("encoding the page's data: %w", err)
	}
	tmpl, err := template.New("page.html.tmpl").Funcs(template.FuncMap{
		"inc": func(i int) int { return i + 1 }, "duration": Duration, "symbol": symbol,
	}).ParseFS(assets, "assets/page.html.tmpl")
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	v := newView(r)
	v.Style = template.CSS(style)  //nolint:gosec // our own asset
	v.Script = template.JS(script) //nolint:gosec // our own asset
	v.Data = template.JS(data)     //nolint:gosec // JSON, escaped by Marshal
	v.Policy = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; form-action 'none'",
		sourceHash(style), sourceHash(script))
	return tmpl.Execute(w, v)
}

func joinAssets(names ...string) (string, error) {
	var b strings.Builder
	for _, name := range names {
		data, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return "", fmt.Errorf("reading an asset of the page: %w", err)
		}
		b.WriteString("\n/* " + name + " */\n")
		b.Write(data)
	}
	b.WriteString("\n")
	return b.String(), nil
}

func sourceHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func newView(r Report) view {
	v := view{
		Title: r.Title, Word: string(r.Verdict()), Headline: r.Headline(),
		Commit: r.Environment.Commit, Environment: r.Environment,
		Tiles: tiles(r), Failures: r.Failures(), Slow: slowest(r),
	}
	if !r.Started.IsZero() {
		v.Started = r.Started.UTC().Format("2 January 2006, 15:04 UTC")
	}
	if r.Gate != nil {
		v.Criteria = r.Gate.Criteria
	}
	if r.Flake != nil {
		v.FlakeSentence = r.Flake.Sentence()
	}
	for i, run := range r.Runs {
		if run.Error != "" {
			v.RunErrors = append(v.RunErrors, fmt.Sprintf("Run %d did not finish: %s", i+1, oneLine(run.Error)))
		}
	}
	return v
}

func tiles(r Report) []tile {
	t := r.Totals
	seconds := 0.0
	ids := map[string]bool{}
	for _, run := range r.Runs {
		seconds += run.DurationS
		for _, s := range run.Scenarios {
			ids[s.ID] = true
		}
	}
	bound, note := "not known", "run make gate"
	if f := r.Flake; f != nil && f.Runs > 0 {
		bound, note = "≤ "+share(f.UpperBound95), "95 % sure, from "+count(f.Runs, "run")
	}
	return []tile{
		{"Scenarios", fmt.Sprint(len(ids)), fmt.Sprintf("%d of %d executions", t.Scenarios, t.Expected)},
		{"Pass rate", Percent(t.Passed, max(t.Expected, t.Scenarios)), fmt.Sprintf("%d passed, %d not", t.Passed, max(t.Expected, t.Scenarios)-t.Passed)},
		{"Runs", fmt.Sprint(len(r.Runs)), "each with its own seed"},
		{"Duration", Duration(seconds), "start-up " + Duration(float64(r.Environment.StartedMS)/1000)},
		{"Flake rate", bound, note},
	}
}

// slowest lists each scenario's slowest execution, the slowest scenario first.
func slowest(r Report) []Seen {
	at := map[string]Seen{}
	for i := range r.Runs {
		for j := range r.Runs[i].Scenarios {
			s := &r.Runs[i].Scenarios[j]
			if old, ok := at[s.ID]; !ok || s.DurationS > old.Scenario.DurationS {
				at[s.ID] = Seen{Run: i, Scenario: s}
			}
		}
	}
	return topSlow(at)
}

func topSlow(at map[string]Seen) []Seen {
	out := slices.SortedFunc(maps.Values(at), func(a, b Seen) int {
		return cmp.Or(cmp.Compare(b.Scenario.DurationS, a.Scenario.DurationS), strings.Compare(a.Scenario.ID, b.Scenario.ID))
	})
	return out[:min(maxSlow, len(out))]
}

// symbol is a status's shape: no meaning rests on colour alone.
func symbol(s Status) string {
	switch s {
	case Passed:
		return "✓"
	case Failed:
		return "✗"
	case Inconclusive:
		return "?"
	case EnvError:
		return "E"
	case HarnessError:
		return "H"
	}
	return "–"
}
