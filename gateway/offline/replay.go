package offline

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/goccy/go-yaml"
	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/memory"
	"github.com/stormproof/stormproof/gateway/policy"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// File is a replay: webhooks in their order, and what they must become. Paths in it count
// from its own folder.
type File struct {
	// Config is a configuration file; "" takes the defaults.
	Config string `yaml:"config"`
	Steps  []Step `yaml:"steps"`
}

// Step does one thing and looks at what came of it; the first four exclude each other.
type Step struct {
	// Send is the path of a captured body, Body the text itself.
	Send string `yaml:"send"`
	Body string `yaml:"body"`
	// Advance moves the clock.
	Advance time.Duration `yaml:"advance"`
	// Complete moves every object to the phase Completed, as a remediator would.
	Complete bool `yaml:"complete"`

	// Source reads the body; default alertmanager.
	Source string `yaml:"source"`
	// Want are exact numbers of alerts by verdict, Verdicts those of each alert in order.
	Want     map[string]int `yaml:"want"`
	Verdicts []string       `yaml:"verdicts"`
	// Objects are how many RemediationRequests there are now, and Storms how many of them
	// stand for a storm.
	Objects *int `yaml:"objects"`
	Storms  *int `yaml:"storms"`
}

// expects reports whether the step can fail.
func (s Step) expects() bool {
	return s.Want != nil || s.Verdicts != nil || s.Objects != nil || s.Storms != nil
}

// Replay plays a file and writes a line for each step to w. It returns how many steps went
// otherwise than the file says. configFile, if not "", is tried in place of the file's own
// configuration: what would it change?
func Replay(ctx context.Context, w io.Writer, path, configFile string) (wrong int, err error) {
	f, err := load(path)
	if err != nil {
		return 0, err
	}
	if configFile == "" && f.Config != "" {
		configFile = filepath.Join(filepath.Dir(path), f.Config)
	}
	c, err := config.Load(configFile)
	if err != nil {
		return 0, err
	}
	world, err := newWorld(c)
	if err != nil {
		return 0, err
	}
	defer world.close()
	for i, s := range f.Steps {
		did, problems, err := world.play(ctx, filepath.Dir(path), s)
		if err != nil {
			return wrong, fmt.Errorf("%s: step %d: %w", path, i+1, err)
		}
		state := "ok  "
		if len(problems) > 0 {
			state = "FAIL"
			wrong++
		}
		_, _ = fmt.Fprintf(w, "%s %s step %d: %s\n", state, path, i+1, did)
		for _, p := range problems {
			_, _ = fmt.Fprintf(w, "       %s\n", p)
		}
	}
	return wrong, nil
}

func load(path string) (File, error) {
	var f File
	b, err := os.ReadFile(path)
	if err != nil {
		return f, fmt.Errorf("reading the replay: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(b, &f, yaml.Strict()); err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	for i, s := range f.Steps {
		actions := 0
		for _, set := range []bool{s.Send != "", s.Body != "", s.Advance != 0, s.Complete} {
			if set {
				actions++
			}
		}
		if actions > 1 || actions == 0 && !s.expects() {
			return f, fmt.Errorf("%s: step %d: write exactly one of send, body, advance, complete; or only objects or storms", path, i+1)
		}
	}
	if !slices.ContainsFunc(f.Steps, Step.expects) {
		return f, fmt.Errorf("%s: it expects nothing, so it cannot fail: give a step want, verdicts, objects or storms", path)
	}
	return f, nil
}

// world is a gateway without network: its Redis is in this process, its cluster in memory.
type world struct {
	config  config.Config
	clock   *still
	cluster *memory.Cluster
	server  *miniredis.Miniredis
	redis   *redis.Client
	intake  *intake.Intake
}

// still is a clock that moves by Advance only, so that a replay is the same every time.
type still struct{ begin, now time.Time }

func (s *still) Now() time.Time        { return s.now }
func (s *still) Offset() time.Duration { return s.now.Sub(s.begin) }

// tallies are the counters, which nobody needs to write anywhere.
type tallies struct {
	mu sync.Mutex
	of map[string]remediation.Tally
}

// Note implements intake.Counters.
func (t *tallies) Note(uid, _, _ string, tally remediation.Tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of[uid] = tally
}

// Known implements intake.Counters.
func (t *tallies) Known(uid string) remediation.Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of[uid]
}

func newWorld(c config.Config) (*world, error) {
	rules, err := policy.Compile(c.Policy)
	if err != nil {
		return nil, err
	}
	server, err := miniredis.Run()
	if err != nil {
		return nil, fmt.Errorf("starting the Redis inside: %w", err)
	}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	server.SetTime(begin)
	w := &world{config: c, clock: &still{begin, begin}, cluster: memory.New(), server: server, redis: redis.NewClient(&redis.Options{Addr: server.Addr()})}
	counters := &tallies{of: map[string]remediation.Tally{}}
	caller := remediation.Caller{Timeout: c.Kubernetes.Timeout}
	w.intake = &intake.Intake{Config: c, Policy: rules, Counters: counters, Clock: w.clock,
		Pages:   remediation.NewPages(w.cluster, caller, c.Limits.RequestTimeout, w.clock),
		Windows: window.New(w.redis, c.Redis.Prefix, c.Dedup.Window, w.clock, nil),
		Writer: remediation.NewWriter(remediation.Options{Client: w.cluster, Caller: caller, Clock: w.clock, Window: c.Dedup.Window,
			HoldWhileActive: c.Dedup.HoldWhileActive, Fallback: c.Kubernetes.FallbackNamespace,
			LastSeen: func(uid string) time.Time { return counters.Known(uid).LastSeen }})}
	return w, nil
}

func (w *world) close() {
	_ = w.redis.Close() // its server ends with it
	w.server.Close()
}

// play carries out a step: what it did, and what is otherwise than expected.
func (w *world) play(ctx context.Context, dir string, s Step) (did string, problems []string, err error) {
	var verdicts []string
	switch {
	case s.Advance != 0:
		did = "advanced by " + s.Advance.String()
		w.clock.now = w.clock.now.Add(s.Advance)
	case s.Complete:
		did = "completed every object"
		for _, rr := range w.cluster.Requests() {
			if err := w.cluster.Complete(rr); err != nil {
				return "", nil, fmt.Errorf("completing %s: %w", rr.Name, err)
			}
		}
	case s.Send != "" || s.Body != "":
		name, body := "the body", []byte(s.Body)
		if s.Send != "" {
			name = s.Send
			if body, err = os.ReadFile(filepath.Join(dir, s.Send)); err != nil {
				return "", nil, fmt.Errorf("reading the captured body: %w", err)
			}
		}
		if verdicts, err = w.send(ctx, cmp.Or(s.Source, alert.Alertmanager{}.Name()), body); err != nil {
			return "", nil, fmt.Errorf("%s: %w", name, err)
		}
		did = fmt.Sprintf("sent %s: %s", name, summary(tally(verdicts)))
	}
	objects, storms := w.cluster.Requests(), 0
	for _, rr := range objects {
		if rr.Spec.Storm != nil {
			storms++
		}
	}
	all := len(objects)
	if did == "" {
		did = fmt.Sprintf("%d objects, %d of them storms", all, storms)
	}
	if s.Want != nil && !maps.Equal(s.Want, tally(verdicts)) {
		problems = append(problems, fmt.Sprintf("want %s; got %s", summary(s.Want), summary(tally(verdicts))))
	}
	if s.Verdicts != nil && !slices.Equal(s.Verdicts, verdicts) {
		problems = append(problems, fmt.Sprintf("want verdicts: [%s]", strings.Join(s.Verdicts, ", ")),
			fmt.Sprintf("got  verdicts: [%s]", strings.Join(verdicts, ", ")))
	}
	for _, n := range []struct {
		what string
		want *int
		got  int
	}{{"objects", s.Objects, all}, {"storms", s.Storms, storms}} {
		if n.want != nil && *n.want != n.got {
			problems = append(problems, fmt.Sprintf("want %s: %d; got %d", n.what, *n.want, n.got))
		}
	}
	return did, problems, nil
}

// send processes a body as the server does; verdicts are by index.
func (w *world) send(ctx context.Context, source string, body []byte) ([]string, error) {
	batch, err := parse(w.config, source, body)
	if err != nil {
		return nil, err
	}
	out := make([]string, batch.Len())
	for _, i := range batch.Invalid {
		out[i.Index] = intake.Invalid
	}
	for _, i := range batch.Skipped {
		out[i] = intake.Ignored
	}
	if len(batch.Alerts) == 0 {
		return out, nil
	}
	verdicts, err := w.intake.Process(ctx, batch.Alerts)
	for _, v := range verdicts {
		out[v.Index] = v.Verdict
	}
	return out, err
}

func tally(verdicts []string) map[string]int {
	out := map[string]int{}
	for _, v := range verdicts {
		out[v]++
	}
	return out
}

func summary(counts map[string]int) string {
	var out []string
	for _, v := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s: %d", v, counts[v]))
	}
	return "{" + strings.Join(out, ", ") + "}"
}
