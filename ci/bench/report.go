package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/template"
	"time"
)

// result is reports/bench-harness.json.
type result struct {
	Schema  string    `json:"schema"`
	Started time.Time `json:"started"`
	Seed    uint64    `json:"seed"`
	Rounds  int       `json:"rounds"`
	Warmup  int       `json:"warmup"`
	Machine machine   `json:"machine"`
	// Versions of what was compared, by module path; cluster and redis are what served.
	Versions map[string]string `json:"versions"`
	Tests    []row             `json:"tests"`
	// OverheadMS is the scenario minus the calls and minus what the gateway takes to start and
	// to stop, round by round; AboveHandMS is the scenario minus the test by hand.
	OverheadMS  summary `json:"overhead_ms"`
	AboveHandMS summary `json:"above_hand_ms"`
}

type machine struct {
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	// LoadBefore and LoadAfter are the load of one minute: above CPUs others were at work, too.
	LoadBefore string `json:"load_before"`
	LoadAfter  string `json:"load_after"`
}

// row is one of the tests.
type row struct {
	Name string `json:"name"`
	What string `json:"what"`
	// MS are the durations in the order of the rounds.
	MS      []float64 `json:"ms"`
	Summary summary   `json:"summary"`
	// OfHand is the ratio of its median to that of the test by hand.
	OfHand float64 `json:"of_hand"`
	// Requests to the API server in one run, the gateway's included; 0 where it is not counted.
	Requests map[string]int64 `json:"requests,omitempty"`
}

// summary is in milliseconds.
type summary struct {
	P10    float64 `json:"p10"`
	Median float64 `json:"median"`
	P90    float64 `json:"p90"`
}

func summarise(ms []float64) summary {
	sorted := slices.Sorted(slices.Values(ms))
	at := func(q float64) float64 { return sorted[int(q*float64(len(sorted)-1)+0.5)] }
	return summary{at(0.1), at(0.5), at(0.9)}
}

// settle computes what follows from the durations.
func (r *result) settle() {
	byName := map[string]*row{}
	for i := range r.Tests {
		x := &r.Tests[i]
		x.Summary = summarise(x.MS)
		byName[x.Name] = x
	}
	hand, own := byName["hand"], byName["scenario"]
	var overhead, above []float64
	for i, ms := range own.MS {
		overhead = append(overhead, ms-byName["calls"].MS[i]-byName["gateway"].MS[i])
		above = append(above, ms-hand.MS[i])
	}
	r.OverheadMS, r.AboveHandMS = summarise(overhead), summarise(above)
	for i := range r.Tests {
		r.Tests[i].OfHand = r.Tests[i].Summary.Median / hand.Summary.Median
	}
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

func newMachine() machine {
	return machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), LoadBefore: load()}
}

// versions asks go what this module is built from.
func versions(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	b, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Version}}",
		"sigs.k8s.io/e2e-framework", "sigs.k8s.io/controller-runtime", "k8s.io/client-go").Output()
	if err != nil {
		return nil, fmt.Errorf("asking go for the versions of modules: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[path] = version
	}
	return out, nil
}

var table = template.Must(template.New("").Funcs(template.FuncMap{"ms": func(v float64) string { return fmt.Sprintf("%.1f", v) },
	"total": func(m map[string]int64) (n int64) {
		for _, v := range m {
			n += v
		}
		return n
	}}).Parse(`
{{.Started.Format "2 January 2006"}}, {{.Rounds}} rounds after {{.Warmup}} that do not count, seed {{.Seed}}. {{.Machine.System}}, {{.Machine.CPUs}} CPUs,
load {{.Machine.LoadBefore}} before and {{.Machine.LoadAfter}} after; {{.Machine.Go}} without race detector;
{{range $k, $v := .Versions}}{{$k}} {{$v}}; {{end}}milliseconds.

| test | median | p10 to p90 | of by hand | API requests |
|---|---|---|---|---|
{{range .Tests}}| {{.What}} | {{ms .Summary.Median}} | {{ms .Summary.P10}} to {{ms .Summary.P90}} | {{printf "%.2f" .OfHand}} | {{if .Requests}}{{total .Requests}}{{else}}-{{end}} |
{{end}}
Beyond the calls and the gateway's own start and stop, a scenario costs **{{ms .OverheadMS.Median}} ms** (p10 {{ms .OverheadMS.P10}}, p90 {{ms .OverheadMS.P90}});
above the same test by hand **{{ms .AboveHandMS.Median}} ms** (both: median of the differences within a round).
`))

// write stores the JSON, and the table between the markers of the document.
func (r *result) write(jsonFile, document string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the results: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(jsonFile), 0o755); err != nil {
		return fmt.Errorf("making the folder of results: %w", err)
	}
	if err := os.WriteFile(jsonFile, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	var text bytes.Buffer
	if err := table.Execute(&text, r); err != nil {
		return fmt.Errorf("making the table: %w", err)
	}
	old, err := os.ReadFile(document)
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	const begin, end = "<!-- overhead: begin; written by make bench-harness -->", "<!-- overhead: end -->"
	before, rest, ok := strings.Cut(string(old), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q to write between", document, begin, end)
	}
	return os.WriteFile(document, []byte(before+begin+"\n"+text.String()+"\n"+end+after), 0o644)
}
