package monitoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stormproof/stormproof/gateway/server"
)

// unused are metrics that neither a rule nor the dashboard names, on purpose. A new metric
// belongs into one of the two, or here with its reason.
var unused = map[string]string{
	"stormproof_trace_spans_dropped_total": "a lost span harms nobody's alert: it is for who misses one",
	"stormproof_alerts_refused_total":      "stormproof_alerts_total has the sums; the reasons are for looking closer",
}

// described is what a gateway says of its metrics: labels and help by name.
func described(t *testing.T) map[string]metric {
	t.Helper()
	m := server.NewMetrics()
	m.Limit(func() (int, int, int) { return 0, 0, 0 })
	descs := make(chan *prometheus.Desc, 1000)
	m.Registry.Describe(descs)
	close(descs)
	form := regexp.MustCompile(`^Desc{fqName: "([^"]*)", help: "((?:[^"\\]|\\.)*)", unit: "[^"]*", constLabels: {(.*)}, variableLabels: {(.*)}}$`)
	out := map[string]metric{}
	for d := range descs {
		f := form.FindStringSubmatch(d.String())
		if f == nil {
			t.Fatalf("client_golang describes a metric in another form now: %s", d)
		}
		labels := regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`).ReplaceAllString(f[3], "$1")
		out[f[1]] = metric{help: f[2], labels: strings.Trim(labels+","+f[4], ",")}
	}
	return out
}

type metric struct{ help, labels string }

// expressions are all of the rules and the dashboard, by where they stand; recorded are the
// names that rules give.
func expressions(t *testing.T) (all map[string]string, recorded []string) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Record, Alert, Expr string }
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	read(t, "rules.yaml", yaml.Unmarshal, &rules)
	read(t, "dashboard.json", json.Unmarshal, &dashboard)
	all = map[string]string{}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			all["rule "+r.Alert+r.Record] = r.Expr
			if r.Record != "" {
				recorded = append(recorded, r.Record)
			}
		}
	}
	for _, p := range dashboard.Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("panel %s, query %d", p.Title, i+1)] = target.Expr
		}
	}
	return all, recorded
}

func read[T any](t *testing.T, file string, decode func([]byte, any) error, into *T) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = decode(b, into)
	}
	if err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
}

var (
	// aside is what is no metric though it looks like one: matchers, windows, lists of labels.
	aside = regexp.MustCompile(`{[^}]*}|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)`)
	name  = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	words = []string{"sum", "count", "rate", "increase", "abs", "absent", "min_over_time", "histogram_quantile", "and"}
)

// names are the metrics of an expression. What it does not know it takes for a metric.
func names(expr string) []string {
	var out []string
	for _, word := range name.FindAllString(aside.ReplaceAllString(expr, " "), -1) {
		if !slices.Contains(words, word) && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// family is the metric that a series belongs to.
func family(series string, known map[string]metric) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(series, suffix); ok && known[base] != (metric{}) {
			return base
		}
	}
	return series
}

func TestRulesAndDashboardNameOnlyMetricsThatExist(t *testing.T) {
	known := described(t)
	all, recorded := expressions(t)
	used := map[string]bool{}
	for where, expr := range all {
		for _, series := range names(expr) {
			used[family(series, known)] = true
			if known[family(series, known)] == (metric{}) && !slices.Contains(recorded, series) {
				t.Errorf("%s names %s, and no gateway has it", where, series)
			}
		}
	}
	for m := range known {
		if strings.HasPrefix(m, "stormproof_") && used[m] == (unused[m] != "") {
			t.Errorf("%s: show it in dashboard.json, or say in `unused` why not", m)
		}
	}
}

// The scenario OBS-06 asks a real gateway for the same names.
func TestTheScenarioAsksForEveryNameOfRulesAndDashboard(t *testing.T) {
	file := "../../scenarios/observability/obs-06-rules-and-dashboard-name-only-metrics-that-exist.yaml"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, quoted := range regexp.MustCompile(`'([a-z_]+)'`).FindAllStringSubmatch(string(b), -1) {
		asked = append(asked, quoted[1])
	}
	known, want := described(t), map[string]bool{}
	all, recorded := expressions(t)
	for _, expr := range all {
		for _, series := range names(expr) {
			if !slices.Contains(recorded, series) {
				want[family(series, known)] = true
			}
		}
	}
	slices.Sort(asked)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), asked); diff != "" {
		t.Errorf("names in %s:\n%s", file, diff)
	}
}

func TestEveryAlertAndEveryMetricIsExplained(t *testing.T) {
	b, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	all, _ := expressions(t)
	for where := range all {
		if alert, ok := strings.CutPrefix(where, "rule Stormproof"); ok && !slices.Contains(lines, "### Stormproof"+alert) {
			t.Errorf("docs/observability.md does not say what Stormproof%s means", alert)
		}
	}
	for m, is := range described(t) {
		if !strings.HasPrefix(m, "stormproof_") {
			continue
		}
		if line := fmt.Sprintf("| `%s` | %s | %s |", m, strings.ReplaceAll(is.labels, ",", ", "), is.help); !slices.Contains(lines, line) {
			t.Errorf("docs/observability.md lacks the line\n%s", line)
		}
	}
}

func TestNamesAreFoundInExpressions(t *testing.T) {
	expr := `histogram_quantile(0.9, sum by (le) (rate(a_seconds_bucket{route=~"/b.*", c="d"}[5m]))) > 14.4 * 0.001 and e:f:g == 0 or unknown(h)`
	if diff := cmp.Diff([]string{"a_seconds_bucket", "e:f:g", "or", "unknown", "h"}, names(expr)); diff != "" {
		t.Error(diff)
	}
}
