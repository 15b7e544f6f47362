package play

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/common/types"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/system"
)

// vars are the values of an expression's variables, read when the expression first asks
// and then kept, so that what a failure shows is what the expression saw.
func (w *world) vars(ctx context.Context) map[string]any {
	lazy := func(read func() (any, error)) func() any {
		return sync.OnceValue(func() any {
			v, err := read()
			if err != nil {
				return types.WrapErr(unread{err})
			}
			return v
		})
	}
	return map[string]any{
		"answers":    sync.OnceValue(func() any { return w.answers.view() }),
		"faults":     sync.OnceValue(func() any { return w.faults.view() }),
		"kube":       sync.OnceValue(func() any { return w.kubeCalls.view() }),
		"ns":         w.namespaces[0],
		"rr":         lazy(func() (any, error) { return w.listed(ctx, &v1alpha1.RemediationRequestList{}) }),
		"pages":      lazy(func() (any, error) { return w.listed(ctx, &v1alpha1.StormPageList{}) }),
		"table":      lazy(func() (any, error) { return w.table(ctx) }),
		"explain":    lazy(func() (any, error) { return w.explain(ctx) }),
		"members":    lazy(func() (any, error) { return w.members(ctx) }),
		"keys":       lazy(func() (any, error) { return w.keys(ctx) }),
		"redisNodes": sync.OnceValue(func() any { return w.redisNodes(ctx) }),
		"metrics":    lazy(func() (any, error) { return w.metrics(ctx) }),
		"metricLint": lazy(func() (any, error) { return w.metricLint(ctx) }),
		"received":   sync.OnceValue(func() any { return w.received() }),
		"spans":      sync.OnceValue(func() any { return w.spans() }),
		"objects":    lazy(func() (any, error) { return w.objects(ctx) }),
		"ready":      sync.OnceValue(func() any { return w.ready(ctx) }),
		"health":     sync.OnceValue(func() any { return w.get(ctx, w.first()+"/healthz") }),
		"rights":     sync.OnceValue(func() any { return w.rights() }),
		"audit":      lazy(func() (any, error) { return w.audit() }),
		"log":        lazy(func() (any, error) { return w.logs(ctx) }),
	}
}

// listed returns the items of a live list over the scenario's namespaces as plain maps.
func (w *world) listed(ctx context.Context, list client.ObjectList, options ...client.ListOption) ([]any, error) {
	out := []any{}
	for _, ns := range w.namespaces {
		if err := w.kube.List(ctx, list, append(options, client.InNamespace(ns))...); err != nil {
			return nil, fmt.Errorf("listing in %s: %w", ns, err)
		}
		b, err := json.Marshal(list)
		if err != nil {
			return nil, fmt.Errorf("encoding list: %w", err)
		}
		var doc struct{ Items []any }
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, fmt.Errorf("decoding list: %w", err)
		}
		out = append(out, doc.Items...)
	}
	return out, nil
}

func (w *world) members(ctx context.Context) ([]any, error) {
	pages, err := w.listed(ctx, &v1alpha1.StormPageList{})
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, p := range pages {
		spec, _ := p.(map[string]any)["spec"].(map[string]any)
		list, _ := spec["members"].([]any)
		out = append(out, list...)
	}
	return out, nil
}

// get fetches a probe; a transport error is a state, too: status 0.
func (w *world) get(ctx context.Context, url string) map[string]any {
	status, body, err := w.fetch(ctx, url)
	if err != nil {
		return map[string]any{"status": int64(0), "body": err.Error()}
	}
	var doc any
	if json.Unmarshal(body, &doc) != nil {
		doc = string(body)
	}
	return map[string]any{"status": int64(status), "body": doc}
}

// ready asks the first replica's probe.
func (w *world) ready(ctx context.Context) map[string]any {
	path, _ := w.probe()
	return w.get(ctx, w.first()+path)
}

// fetch gets a page, and searches it for secrets.
func (w *world) fetch(ctx context.Context, url string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := w.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	b, err := io.ReadAll(res.Body)
	w.search.read("GET "+req.URL.Path, b, false)
	return res.StatusCode, b, errors.Join(err, res.Body.Close())
}

// scrape reads the metrics of every replica that runs.
func (w *world) scrape(ctx context.Context) ([][]byte, error) {
	var out [][]byte
	for _, r := range w.replicas.all() {
		instance := r.running()
		if instance == nil {
			continue
		}
		status, body, err := w.fetch(ctx, w.metricsURL(instance))
		if err != nil || status != http.StatusOK {
			return nil, fmt.Errorf("reading metrics: status %d, %w", status, err)
		}
		out = append(out, body)
	}
	return out, nil
}

// metricLint asks promtool's own linter.
func (w *world) metricLint(ctx context.Context) ([]any, error) {
	pages, err := w.scrape(ctx)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, page := range pages {
		problems, err := promlint.New(bytes.NewReader(page)).Lint()
		if err != nil {
			return nil, fmt.Errorf("checking metrics: %w", err)
		}
		for _, p := range problems {
			out = append(out, p.Metric+": "+p.Text)
		}
	}
	return out, nil
}

// metrics sums the counters and gauges of all replicas, by series and by name.
func (w *world) metrics(ctx context.Context) (map[string]any, error) {
	pages, err := w.scrape(ctx)
	if err != nil {
		return nil, err
	}
	sums := map[string]float64{}
	for _, body := range pages {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
		if err != nil {
			return nil, fmt.Errorf("parsing metrics: %w", err)
		}
		for name, family := range families {
			for _, m := range family.GetMetric() {
				v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
				sums[name] += v
				if len(labels) > 0 {
					sums[name+"{"+strings.Join(labels, ",")+"}"] += v
				}
			}
		}
	}
	out := make(map[string]any, len(sums))
	for k, v := range sums {
		out[k] = v
	}
	return out, nil
}

func (w *world) logs(ctx context.Context) (string, error) {
	var out strings.Builder
	for _, r := range w.replicas.all() {
		if logger, ok := r.running().(system.Logger); ok {
			if err := logger.FlushLog(ctx); err != nil {
				return "", err
			}
		}
		b, err := os.ReadFile(r.spec.LogFile)
		if err != nil {
			return "", fmt.Errorf("reading the gateway's log: %w", err)
		}
		out.Write(b)
	}
	return out.String(), nil
}

// counter counts by name, for expressions.
type counter struct {
	mu sync.Mutex
	n  map[string]int64
}

func newCounter() *counter { return &counter{n: map[string]int64{}} }

func (c *counter) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[name]++
}

func (c *counter) view() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]any, len(c.n))
	for k, v := range c.n {
		out[k] = v
	}
	return out
}

// answers collects responses by the id of the step that caused them.
type answers struct {
	mu   sync.Mutex
	byID map[string][]answer
	// took is how long each load lasted, to its last answer.
	took map[string]time.Duration
}

// answer is one response as expressions see it.
type answer struct {
	status   int
	latency  time.Duration
	problem  string
	verdicts map[string]int
	headers  map[string]any
	// certificate is the common name of the server's, "" without TLS.
	certificate string
	body        any
}

func newAnswers() *answers {
	return &answers{byID: map[string][]answer{}, took: map[string]time.Duration{}}
}

func (a *answers) lasted(id string, d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took[id] = d
}

func (a *answers) add(id string, x answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byID[id] = append(a.byID[id], x)
}

func (a *answers) view() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]any{}
	for id, list := range a.byID {
		statuses, verdicts := tally(list)
		var items []any
		for _, x := range list {
			items = append(items, map[string]any{"status": int64(x.status), "problem": x.problem,
				"latencyMs": x.latency.Milliseconds(), "headers": x.headers, "body": x.body, "certificate": x.certificate})
		}
		step := map[string]any{"count": int64(len(list)), "statuses": asAny(statuses), "verdicts": asAny(verdicts), "list": items}
		if d, isLoad := a.took[id]; isLoad {
			step["elapsedMs"] = d.Milliseconds()
		}
		out[id] = step
	}
	return out
}

// tally counts statuses ("none" for no answer) and verdicts.
func tally(list []answer) (statuses, verdicts map[string]int) {
	statuses, verdicts = map[string]int{}, map[string]int{}
	for _, x := range list {
		name := "none"
		if x.status != 0 {
			name = fmt.Sprint(x.status)
		}
		statuses[name]++
		for v, n := range x.verdicts {
			verdicts[v] += n
		}
	}
	return statuses, verdicts
}

func asAny(m map[string]int) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = int64(v)
	}
	return out
}
