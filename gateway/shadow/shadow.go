// Package shadow tries another configuration on the traffic of the one in force: what
// would have become of each alert, without making anything of it.
//
//	batch ── answered by the configuration in force ──> verdicts ─┐
//	  └───── later, beside it: the other one, the same code ──────┴─> counted and compared
//
// The other configuration has windows of its own in Redis, below a prefix of its own, and
// in place of Kubernetes a writer that says yes. So an incident ends with its window there:
// what holds it longer, a phase that is not terminal, has no counterpart. Right after the
// start everything is new to it; compare after a window has passed.
//
// Batches wait in a short queue; what does not fit is dropped and counted, because no
// sender waits for a shadow.
package shadow

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/policy"
)

const (
	// waiting is how many batches may wait.
	waiting = 64
	// newest is how many differences are remembered.
	newest = 100
)

// Observer is told what was compared.
type Observer interface {
	// ShadowVerdict counts one alert: what it became, and what it would have become.
	ShadowVerdict(verdict, would string)
	// ShadowPriority does the same for the priority.
	ShadowPriority(priority, would string)
	// ShadowDropped counts alerts that were not compared.
	ShadowDropped(alerts int)
}

// Difference is an alert that would have fared otherwise.
type Difference struct {
	At     time.Time         `json:"at"`
	Labels map[string]string `json:"labels"`
	// Real and Would are what both configurations made of it.
	Real  Outcome `json:"real"`
	Would Outcome `json:"would"`
}

// Outcome is what a configuration makes of an alert. The incarnation of an object, and so
// its name, is no part of it.
type Outcome struct {
	Verdict     string `json:"verdict"`
	Fingerprint string `json:"fingerprint"`
	Namespace   string `json:"namespace,omitempty"`
	Environment string `json:"environment"`
	Priority    string `json:"priority"`
}

// Shadow compares two configurations. With New alone it compares nothing; see Try.
type Shadow struct {
	pair    atomic.Pointer[pair]
	observe Observer
	log     *slog.Logger
	now     func() time.Time
	queue   chan batch

	mu    sync.Mutex
	found []Difference
}

// pair is the policy in force and what is tried beside it.
type pair struct {
	real, would *policy.Policy
	process     *intake.Intake
}

type batch struct {
	pair     *pair
	alerts   []alert.Alert
	verdicts []intake.Verdict
}

// New returns a shadow that Run works for.
func New(o Observer, log *slog.Logger) *Shadow {
	return &Shadow{observe: o, log: log, now: time.Now, queue: make(chan batch, waiting)}
}

// Try compares another configuration with the policy in force from now on. windows are its
// own, on keys that nothing else uses.
func (s *Shadow) Try(inForce *policy.Policy, other config.Config, windows intake.Windows, c clock.Clock) error {
	would, err := policy.Compile(other.Policy)
	if err != nil {
		return err
	}
	g := &ghost{storms: map[string]int{}}
	s.pair.Store(&pair{real: inForce, would: would,
		process: &intake.Intake{Config: other, Policy: would, Windows: windows, Writer: g, Pages: g, Counters: g, Clock: c}})
	return nil
}

// Rest ends the comparison.
func (s *Shadow) Rest() { s.pair.Store(nil) }

// Offer hands over a batch that was answered; it never waits.
func (s *Shadow) Offer(alerts []alert.Alert, verdicts []intake.Verdict) {
	p := s.pair.Load()
	if p == nil {
		return
	}
	select {
	case s.queue <- batch{p, alerts, verdicts}:
	default:
		s.observe.ShadowDropped(len(alerts))
	}
}

// Run compares until ctx ends.
func (s *Shadow) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-s.queue:
			s.compare(ctx, b)
		}
	}
}

func (s *Shadow) compare(ctx context.Context, b batch) {
	p := b.pair
	ctx, cancel := context.WithTimeout(ctx, p.process.Config.Limits.RequestTimeout)
	defer cancel()
	verdicts, err := p.process.Process(ctx, b.alerts)
	if err != nil {
		s.log.WarnContext(ctx, "a batch was not tried on the shadow configuration", "alerts", len(b.alerts), "error", err)
		s.observe.ShadowDropped(len(b.alerts))
		return
	}
	would := map[int]intake.Verdict{}
	for _, v := range verdicts {
		would[v.Index] = v
	}
	alerts := map[int]alert.Alert{}
	for _, a := range b.alerts {
		alerts[a.Index] = a
	}
	for _, v := range b.verdicts {
		labels := alerts[v.Index].Labels
		s.note(labels, outcome(v, p.real.Decide(labels)), outcome(would[v.Index], p.would.Decide(labels)))
	}
}

func outcome(v intake.Verdict, d policy.Decision) Outcome {
	return Outcome{Verdict: v.Verdict, Fingerprint: v.Fingerprint, Namespace: v.Namespace,
		Environment: string(d.Environment), Priority: string(d.Priority)}
}

func (s *Shadow) note(labels map[string]string, real, would Outcome) {
	s.observe.ShadowVerdict(real.Verdict, would.Verdict)
	s.observe.ShadowPriority(real.Priority, would.Priority)
	if real == would {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = append(s.found, Difference{At: s.now().UTC(), Labels: labels, Real: real, Would: would})
	s.found = s.found[max(0, len(s.found)-newest):]
}

// Differences are the newest, the oldest of them first.
func (s *Shadow) Differences() []Difference {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Difference{}, s.found...)
}

// ServeHTTP shows the newest differences.
func (s *Shadow) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"differences": s.Differences()}) // who has gone needs no answer
}
