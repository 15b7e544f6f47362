package bench

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/scenario"
)

var (
	rounds = flag.Int("rounds", 40, "rounds that count")
	warmup = flag.Int("warmup", 5, "rounds before them that do not")
	seed   = flag.Uint64("seed", 1, "of the order in each round")

	jsonFile = flag.String("json", "../../reports/bench-harness.json", "receives every duration")
	document = flag.String("document", "../../docs/benchmarks.md", "its table is replaced")
)

// test carries one out and says how long it took; id is its namespace.
type test func(t *testing.T, id string) time.Duration

// column is one of the tests under its name.
type column struct {
	name, what string
	run        test
}

// TestOverhead is the benchmark; it is red when one of the tests is.
func TestOverhead(t *testing.T) {
	dir := t.TempDir()
	up, err := environment.Up(t.Context(), environment.Options{Dir: dir, Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := up.Down(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	r := result{Schema: "stormproof.bench-harness/v1", Started: time.Now().UTC(), Seed: *seed, Rounds: *rounds, Warmup: *warmup,
		Machine: newMachine()}
	if r.Versions, err = versions(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range up.Describe().Choices {
		r.Versions[c.Part] = c.Chosen
	}
	w := newWorld(t, up.Describe(), dir)
	took := w.measure(t)
	r.Machine.LoadAfter = load()
	requests := w.count(t)
	columns := slices.Insert(w.columns(t), 1, column{name: "gateway", what: "the gateway alone: start until ready, and stop"})
	for _, c := range columns {
		r.Tests = append(r.Tests, row{Name: c.name, What: c.what, MS: took[c.name], Requests: requests[c.name]})
	}
	r.settle()
	if err := r.write(*jsonFile, *document); err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Tests {
		t.Logf("%-10s %+v, %.2f of hand, %v", x.Name, x.Summary, x.OfHand, x.Requests)
	}
	t.Logf("beyond calls and gateway %+v, above hand %+v", r.OverheadMS, r.AboveHandMS)
}

// measure returns the milliseconds of every round that counts, by test.
func (w *world) measure(t *testing.T) map[string][]float64 {
	took := map[string][]float64{}
	order := rand.New(rand.NewPCG(*seed, 0))
	columns := w.columns(t)
	for round := range *warmup + *rounds {
		for _, i := range order.Perm(len(columns)) {
			x := columns[i]
			w.gateway = 0
			ok := t.Run(x.name, func(t *testing.T) {
				d := x.run(t, fmt.Sprintf("%c%d", x.name[0], round))
				if round < *warmup {
					return
				}
				took[x.name] = append(took[x.name], ms(d))
				if w.gateway > 0 {
					took["gateway"] = append(took["gateway"], ms(w.gateway))
				}
			})
			if !ok {
				t.FailNow()
			}
		}
	}
	return took
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// count runs each test twice, and returns what the second asked of the API server, by its own
// count: the first has discovered what there is.
func (w *world) count(t *testing.T) map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	for _, x := range w.columns(t) {
		x.run(t, "warm-"+x.name)
		before := w.requests(t)
		x.run(t, "count-"+x.name)
		out[x.name] = map[string]int64{}
		for what, n := range w.requests(t) {
			if n > before[what] {
				out[x.name][what] = n - before[what]
			}
		}
	}
	return out
}

// requests is how often each request on namespaces and on our kinds was made.
func (w *world) requests(t *testing.T) map[string]int64 {
	kube, err := rest.HTTPClientFor(w.rest)
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(call(t, kube, http.MethodGet, w.rest.Host+"/metrics", nil, http.StatusOK)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, m := range families["apiserver_request_total"].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		resource := labels["resource"]
		if labels["subresource"] != "" && resource != "" {
			resource += "/" + labels["subresource"]
		}
		switch labels["resource"] {
		case "namespaces", "remediationrequests", "stormpages":
			out[labels["verb"]+" "+resource] += int64(m.GetCounter().GetValue())
		}
	}
	return out
}

// columns are the tests, on clients of their own.
func (w *world) columns(t *testing.T) []column {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	kube, err := client.New(w.rest, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Load("scenario.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return []column{
		{"calls", "the calls alone", func(t *testing.T, id string) (took time.Duration) {
			took, w.gateway = w.calls(t, id)
			return took
		}},
		{"hand", "by hand, on bare envtest", w.hand(kube)},
		{"framework", "e2e-framework", w.framework(env.NewWithConfig(envconf.NewWithKubeConfig(w.description.Kubeconfig)))},
		{"scenario", "a Stormproof scenario", w.scenario(s)},
	}
}
