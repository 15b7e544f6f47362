package play

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/internal/owned"
	hredis "github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/system"
	"github.com/stormproof/stormproof/harness/traffic"
)

// ClientQPS and ClientBurst limit the harness's own client as the gateway's is limited by
// default: envtest's 1000 and 2000 would hide what a limit does.
const (
	ClientQPS   = 200
	ClientBurst = 400
)

// Host is what all scenarios of a process share, and no scenario changes.
type Host struct {
	Environment environment.Description
	// System starts the service under test inside this process, Binary as a program of its
	// own; Binary is nil where no selected scenario needs it.
	System, Binary system.Factory
	// Cluster starts it as a Pod on Node; nil where no selected scenario needs it.
	Cluster system.Factory
	Node    cluster.Node
	// Programs are the paths of what scenarios' own systems are built from, by their keys.
	Programs map[string]string
	// Settings tells the judge how the service is configured for a scenario's overrides.
	Settings func(overrides map[string]any) (history.Begin, error)
	// Rules are what the service may do at Kubernetes, by its own manifest.
	Rules []rbacv1.PolicyRule
	// Alertmanager is the path of the real program, "" when it could not be had.
	Alertmanager string
	// RunID is unique to the run and part of every name.
	RunID string
	// Dir receives histories, logs and artefacts, one folder a scenario.
	Dir string
	// Seed of the run.
	Seed int64
	// Root is the folder that paths are shown relative to; Replay begins the command that
	// runs a scenario again from there, "" for "bin/stormproof run".
	Root, Replay string
	// Keep leaves namespaces and keys of failed scenarios in place.
	Keep bool

	// The client of the harness is one for all scenarios: what it discovers of the API server
	// stays true.
	connect sync.Once
	config  *rest.Config
	kube    client.WithWatch
	refused error
}

// kubernetes returns the harness's own way to the API server.
func (h *Host) kubernetes() (*rest.Config, client.WithWatch, error) {
	h.connect.Do(func() {
		var config *rest.Config
		if config, h.refused = h.Environment.RESTConfig(); h.refused == nil {
			h.config, h.kube, h.refused = connect(config, nil)
		}
	})
	return h.config, h.kube, h.refused
}

// world is what one round of a scenario owns.
type world struct {
	host       *Host
	scenario   *scenario.Scenario
	round      int
	dir        string
	namespaces []string
	// home is the namespace of a system in the cluster, nil for any other.
	home   *corev1.Namespace
	prefix string
	base   time.Time
	// began has a monotonic reading: the scenario's clock runs on it.
	began  time.Time
	offset atomic.Int64

	history    *history.Writer
	kube       client.WithWatch
	redis      redis.UniversalClient
	access     hredis.Access
	ownRedis   *hredis.Server
	topology   *hredis.Topology
	redisProxy *fault.RedisProxy
	kubeProxy  *fault.KubeProxy
	site       *fault.Site
	siteOnce   sync.Once
	replicas   *replicas
	sinks      map[string]*traffic.Sink
	http       *http.Client
	watch      *watcher
	// leaks knows the goroutines from before anything that must end with the world.
	leaks     goleak.Option
	secrets   map[string]secret
	presented presented
	// authorities are nil without needs.https.
	authorities *authorities
	search      *search
	// lasting are applied objects that do not go with the namespaces.
	lasting []*unstructured.Unstructured
	// last is nil until the last list was made.
	last *lastList

	requestLog *requestLog
	// ownAPI is nil where the run's API server is used. auditFrom is where its audit log stood
	// when the world was begun; auditLog is "" where there is none.
	ownAPI    *ownAPIServer
	auditLog  string
	auditFrom int64

	answers      *answers
	kubeCalls    *counter
	faults       *armedFaults
	alertmanager *alertmanagerParts
	requests     atomic.Int64
}

// newWorld builds everything that a round needs; on error it has taken down what stood.
func newWorld(ctx context.Context, host *Host, s *scenario.Scenario, round int) (w *world, err error) {
	name := worldName(s.Case, round)
	slug := strings.ToLower(s.ID) + "-" + name
	w = &world{host: host, scenario: s, round: round, began: time.Now(), base: time.Now().UTC().Truncate(time.Millisecond),
		dir:     filepath.Join(host.Dir, s.ID, "round-"+name),
		prefix:  "sp:" + host.RunID + ":" + slug + ":",
		http:    &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
		answers: newAnswers(), kubeCalls: newCounter(), faults: newArmedFaults(), replicas: &replicas{},
		presented: presented{tokens: map[scenario.TokenOf]string{}, headers: map[string]map[string]string{}}}
	for i := range max(1, s.Needs.Namespaces) {
		w.namespaces = append(w.namespaces, fmt.Sprintf("sp-%s-%s-%d", host.RunID, slug, i+1))
	}
	defer func() {
		if err != nil {
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
			defer cancel()
			w.keepEvidence(late, err)
			err = errors.Join(err, w.abandon(late))
		}
	}()
	defer caught(&err) // before the clean-up above
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return w, fmt.Errorf("making the scenario's folder: %w", err)
	}
	if w.history, err = history.Open(filepath.Join(w.dir, "history.jsonl"), w.now); err != nil {
		return w, err
	}
	if err := w.begin(); err != nil {
		return w, err
	}
	if err := errors.Join(w.certify(), w.writeFiles(s.Files)); err != nil {
		return w, err
	}
	if w.requestLog, err = newRequestLog(filepath.Join(w.dir, "requests.jsonl")); err != nil {
		return w, err
	}
	if err := w.connectKubernetes(ctx); err != nil {
		return w, err
	}
	// The watch and the system's readiness both have to wait until the API server's cache has
	// heard of the new namespace: side by side.
	var watching errgroup.Group
	w.watch = newWatch(w)
	if !s.Needs.NoCRDs { // else the step that installs them opens it
		watching.Go(func() error { return w.watch.open(ctx) })
	}
	err = w.startParts(ctx)
	return w, errors.Join(err, watching.Wait())
}

// startParts starts Redis, sinks and the system, which needs both.
func (w *world) startParts(ctx context.Context) error {
	if err := w.connectRedis(ctx); err != nil {
		return err
	}
	if err := w.openSinks(ctx); err != nil {
		return err
	}
	return w.startSystem(ctx)
}

// worldName tells the worlds of one scenario apart: 2, or ten-2 in the case ten.
func worldName(caseName string, round int) string {
	if caseName == "" {
		return strconv.Itoa(round)
	}
	return caseName + "-" + strconv.Itoa(round)
}

// now is the scenario's clock. It never runs backwards, even if the machine's is set.
func (w *world) now() time.Time {
	if at := w.frozen(); !at.IsZero() {
		return at.Add(time.Duration(w.offset.Load()))
	}
	return w.began.Add(time.Since(w.began) + time.Duration(w.offset.Load()))
}

// frozen is where the clock stands still, zero where it runs.
func (w *world) frozen() time.Time {
	if w.scenario.Needs.Clock == scenario.FrozenClock {
		return w.base
	}
	return time.Time{}
}

func (w *world) begin() error {
	var begin history.Begin
	if own := w.scenario.System; own != nil {
		begin = ownBegin(own)
	} else {
		var err error
		if begin, err = w.host.Settings(w.scenario.Gateway); err != nil {
			return fmt.Errorf("reading the gateway's settings for %s: %w", w.scenario.ID, err)
		}
	}
	begin.Schema, begin.Scenario = history.Schema, w.scenario.ID
	begin.Seed = uint64(w.host.Seed) + uint64(w.round)
	begin.Namespaces, begin.RedisPrefix = w.namespaces, w.prefix
	var err error
	if w.secrets, err = plantSecrets(w.scenario, begin.Seed); err != nil {
		return err
	}
	w.search = newSearch(w.secrets)
	begin.Secrets = secretNames(w.secrets)
	return w.history.Add(history.Event{Step: -1, Begin: &begin})
}

func (w *world) connectKubernetes(ctx context.Context) error {
	if w.scenario.Needs.Controllers && !w.host.Environment.Controllers {
		return errors.New("this scenario needs the cluster's controllers, and the environment has none: bring it up with --controller-manager")
	}
	config, kube, err := w.reachKubernetes(ctx)
	if err != nil {
		return err
	}
	w.kube, w.auditFrom = kube, sizeOf(w.auditLog)
	for _, name := range w.namespaces {
		if _, err := w.createNamespace(ctx, name); err != nil {
			return err
		}
	}
	if w.inCluster() {
		if w.home, err = w.createNamespace(ctx, strings.TrimSuffix(w.namespaces[0], "1")+"system"); err != nil {
			return err
		}
	}
	// The harness's own connection to the API server outlives the scenario.
	w.leaks = goleak.IgnoreCurrent()
	w.kubeProxy, err = fault.NewKubeProxy(ctx, config)
	if err != nil {
		return err
	}
	if w.inCluster() {
		if err := w.kubeProxy.Expose(w.host.Node.Host); err != nil {
			return err
		}
	}
	if err := w.giveAccount(ctx); err != nil {
		return err
	}
	w.kubeProxy.OnRequest(func(r fault.RequestInfo) {
		if r.Replica == 0 {
			return // the harness asks, not a gateway
		}
		w.kubeCalls.add(r.Verb + " " + r.Resource)
		w.requestLog.add(r)
	})
	return nil
}

func (w *world) createNamespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	owned.Mark(ns, w.host.RunID, w.until())
	if err := w.kube.Create(ctx, ns); err != nil {
		return nil, fmt.Errorf("creating namespace %s: %w", name, err)
	}
	return ns, nil
}

// everyNamespace are all that the world made.
func (w *world) everyNamespace() []string {
	if w.home == nil {
		return w.namespaces
	}
	return append(slices.Clone(w.namespaces), w.home.Name)
}

// expand replaces {{ns}}, {{ns2}}, ..., {{secret.NAME}}, {{i}} and texts that are made.
func (w *world) expand(s string, i int) string {
	if !strings.Contains(s, "{{") {
		return s
	}
	pairs := []string{"{{i}}", strconv.Itoa(i), "{{ns}}", w.namespaces[0]}
	for name, value := range w.sinkValues() {
		pairs = append(pairs, "{{"+name+"}}", value)
	}
	for name, x := range w.secrets {
		pairs = append(pairs, "{{secret."+name+"}}", x.value)
	}
	for _, name := range append(slices.Collect(maps.Keys(w.scenario.Files)), tlsCert, tlsKey, clientsCA) {
		pairs = append(pairs, "{{file."+name+"}}", w.file(name))
	}
	for n, name := range w.namespaces {
		pairs = append(pairs, fmt.Sprintf("{{ns%d}}", n+1), name)
	}
	return generated.ReplaceAllStringFunc(strings.NewReplacer(pairs...).Replace(s), func(found string) string {
		if text, known := scenario.Generate(strings.Trim(found, "{}")); known {
			return text
		}
		return found
	})
}

// generated may be a placeholder for a text that is made, such as {{long.5000}}.
var generated = regexp.MustCompile(`\{\{(?:long|deep|labels|byte)\.[0-9a-f]+\}\}`)

func (w *world) expandMap(m map[string]string, i int) map[string]string {
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = w.expand(v, i)
	}
	return out
}

// close releases what the world holds in this process; it is safe on a half-built world.
func (w *world) close(ctx context.Context) error {
	errs := []error{w.stopAlertmanager(ctx), w.stopSystem(ctx), w.takeAccount(ctx), w.replicas.close(), w.closeSinks()}
	if w.watch != nil {
		errs = append(errs, w.watch.stop())
	}
	if w.redisProxy != nil {
		errs = append(errs, w.redisProxy.Close(ctx))
	}
	if w.kubeProxy != nil {
		errs = append(errs, w.kubeProxy.Close(ctx))
	}
	if w.redis != nil {
		errs = append(errs, w.redis.Close())
	}
	errs = append(errs, w.stopRedis(ctx), w.stopAPIServer(ctx))
	w.closeIdle()
	if w.requestLog != nil {
		errs = append(errs, w.requestLog.close())
	}
	if w.history != nil {
		errs = append(errs, w.history.Close())
	}
	return errors.Join(errs...)
}
