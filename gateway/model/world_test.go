package model

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/memory"
	"github.com/stormproof/stormproof/gateway/policy"
	"github.com/stormproof/stormproof/gateway/reconcile"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// alerts are all that ever fire: five of one storm group, one of another.
var alerts = []string{"a", "b", "c", "d", "e", "f"}

// threshold of the storm groups: with five alerts a storm comes easily.
const threshold = 3

// resolved is the firing number that stands for a resolved notification.
const resolved = 3

// late is how long a call may still be applied after its caller has gone.
const late = 10 * time.Second

// pauses are what opTime chooses from: around deadlines, and around both windows.
var pauses = []time.Duration{time.Second, 5 * time.Second, 9 * time.Second, 30 * time.Second, 59 * time.Second, 61 * time.Second,
	4 * time.Minute, 5*time.Minute + time.Second, 100 * time.Millisecond}

// skews are how far a replica's clock may be off.
var skews = []time.Duration{0, -2 * time.Second, 500 * time.Millisecond, 2 * time.Second}

// world is two replicas, their Redis, their cluster, and everybody who sends.
type world struct {
	mini     *miniredis.Miniredis
	scripts  map[string]string // by SHA-1
	cluster  *memory.Cluster
	bug      bug
	config   config.Config
	policy   *policy.Policy
	replicas [2]*replica
	books    *books
	// fingerprints by letter.
	fingerprints map[string]string
	deliveries   []*delivery
	requests     sync.WaitGroup
	n, runs      int
	story        []string

	mu      sync.Mutex // guards arrived and deaths, which many goroutines see
	arrived []*call
	waiting []*call
}

// replica is one process of the gateway.
type replica struct {
	name     string
	world    *world
	skew     time.Duration
	ctx      context.Context
	cancel   context.CancelFunc
	dead     bool
	intake   *intake.Intake
	counters *remediation.Counters
	// reconciler hears of deletions; the first replica's leads.
	reconciler *reconcile.Reconciler
	writing    bool // its counters, of which there is one writer
}

// Now implements clock.Clock.
func (r *replica) Now() time.Time { return time.Now().Add(r.skew) }

// Offset implements clock.Clock: the windows go by the clock of Redis.
func (r *replica) Offset() time.Duration { return 0 }

func newWorld(mini *miniredis.Miniredis, scripts map[string]string, b bug) *world {
	mini.FlushAll()
	uuid.SetRand(&dice{source: rand.NewChaCha8([32]byte{})})
	w := &world{mini: mini, scripts: scripts, cluster: memory.New(), bug: b, config: config.Defaults(), fingerprints: map[string]string{}}
	w.config.Storm.Rules[0].Threshold = threshold
	w.policy, _ = policy.Compile(w.config.Policy) // the defaults, which a test of theirs compiles
	w.books = newBooks(w)
	for _, letter := range alerts {
		w.fingerprints[letter] = w.config.Dedup.AlertIdentity().Fingerprint(w.alert(letter, 0))
	}
	for i := range w.replicas {
		w.replicas[i] = w.start(string(rune('A' + i)))
	}
	return w
}

// dice makes request ids the same each time a schedule is played.
type dice struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// Read implements io.Reader.
func (d *dice) Read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.Read(p)
}

func (w *world) start(name string) *replica {
	r := &replica{name: name, world: w}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	caller := remediation.Caller{Timeout: w.config.Kubernetes.Timeout, Limit: &remediation.Limit{}, Jitter: func() float64 { return 0.5 }}
	kubernetes := clusterLink{by: r, over: w.cluster}
	writers := kubernetes
	if w.bug.client != nil {
		writers.over = w.bug.client(w.cluster)
	}
	r.counters = remediation.NewCounters(kubernetes, caller, w.config.Kubernetes.FlushInterval, slog.New(slog.DiscardHandler))
	windows := window.New(redisLink{by: r}, w.config.Redis.Prefix, w.config.Dedup.Window, r, nil)
	r.intake = &intake.Intake{Config: w.config, Policy: w.policy, Counters: r.counters, Clock: r,
		Windows: windows,
		Pages:   remediation.NewPages(kubernetes, caller, w.config.Limits.RequestTimeout, r),
		Writer: remediation.NewWriter(remediation.Options{Client: writers, Caller: caller, Clock: r, Window: w.config.Dedup.Window,
			HoldWhileActive: w.config.Dedup.HoldWhileActive, LastSeen: func(uid string) time.Time { return r.counters.Known(uid).LastSeen }})}
	r.reconciler = &reconcile.Reconciler{Windows: func() reconcile.Windows { return windows }, Log: slog.New(slog.DiscardHandler)}
	if w.bug.wire != nil {
		w.bug.wire(r)
	}
	return r
}

// crash ends a replica, whose calls may still be on their way, and starts it anew.
func (w *world) crash(i int) {
	old := w.replicas[i]
	w.say("%s crashes and starts anew", old.name)
	w.mu.Lock()
	old.dead = true
	w.mu.Unlock()
	for _, c := range w.waiting {
		if c.by == old && !c.orphan.Load() {
			c.orphan.Store(true)
			c.reply <- outcome{nil, errCrashed}
			c.reply = make(chan outcome, 1)
		}
	}
	old.cancel()
	w.settle()
	w.replicas[i] = w.start(old.name)
	w.replicas[i].skew = old.skew
	w.books.crashed = true
	w.books.loses(true)
}

// pass lets time pass. Counters are written once a second, and deletions are heard of in
// two: a longer time is not a step of a schedule of its own for them.
func (w *world) pass(d time.Duration) {
	for _, r := range w.replicas {
		if d >= 30*time.Second {
			w.writeCounters(r)
		}
		for range 100 {
			i := slices.IndexFunc(w.waiting, func(c *call) bool {
				return c.by == r && !c.orphan.Load() && (d >= 2*time.Second && strings.HasPrefix(c.what, frees) ||
					d >= 30*time.Second && !strings.HasPrefix(c.what, "request "))
			})
			if i < 0 {
				break
			}
			w.run(i)
		}
	}
	time.Sleep(d)
	w.settle()
	w.mini.FastForward(d)
	if d >= late {
		w.waiting = slices.DeleteFunc(w.waiting, func(c *call) bool { return c.orphan.Load() })
	}
}

// writeCounters lets a replica bring its counters into status.
func (w *world) writeCounters(r *replica) {
	if r.writing {
		return
	}
	r.writing = true
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	w.requests.Go(func() {
		defer cancel()
		r.counters.Flush(ctx)
		r.writing = false
	})
	w.settle()
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

func (w *world) letter(fingerprint string) string {
	for letter, fp := range w.fingerprints {
		if fp == fingerprint {
			return letter
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%.8s", fingerprint))
}

// do carries out one step.
func (w *world) do(o op) {
	switch o.kind {
	case opSend:
		w.send(o.a, o.b%(resolved+1), o.c)
	case opRetry:
		w.retry(o.a, o.b)
	case opRun:
		w.run(o.a)
	case opAll:
		for i := 0; i < 300 && len(w.waiting) > 0; i++ {
			w.run(0)
		}
	case opFail, opLose:
		w.lose(o.a, o.kind == opLose)
	case opAgain:
		w.again(o.a)
	case opCrash:
		w.crash(o.a % 2)
	case opFlush:
		w.say("Redis forgets everything")
		w.books.loses(false)
		w.mini.FlushAll()
	case opTime:
		d := pauses[o.a%len(pauses)]
		w.say("%s pass", d)
		w.pass(d)
	case opSkew:
		w.replicas[o.a%2].skew = skews[o.b%len(skews)]
		w.say("the clock of %s is %s off", w.replicas[o.a%2].name, skews[o.b%len(skews)])
	case opDelete, opEnd:
		w.user(o)
	case opStatus:
		w.writeCounters(w.replicas[o.a%2])
	}
}

// user deletes an object, or a remediator finishes with it.
func (w *world) user(o op) {
	list := w.cluster.Requests()
	if len(list) == 0 {
		return
	}
	rr := list[o.a%len(list)]
	if o.kind == opDelete {
		w.say("a user deletes %s", w.object(&rr))
		w.books.deletes(&rr)
		_ = w.cluster.Delete(context.Background(), &rr) // it was there a line above
		w.hears(w.replicas[0], &rr)
		return
	}
	if !rr.Status.Phase.Terminal() {
		w.say("%s is completed", w.object(&rr))
		w.books.ends(&rr)
		_ = w.cluster.Complete(rr) // as above
	}
}

// hears lets a reconciler free the window of a deleted object, which it tries until it can. A
// deletion that it has heard of goes with it when it crashes.
func (w *world) hears(r *replica, rr *v1alpha1.RemediationRequest) {
	w.requests.Go(func() {
		for r.ctx.Err() == nil {
			if _, err := r.reconciler.Reconcile(r.ctx, reconcile.Deleted(rr)); err == nil {
				w.books.frees(rr)
				return
			}
		}
	})
	w.settle()
}

// quiet lets the world come to rest: senders retry until all is acknowledged, and the
// counters are written. It reports a world that does not.
func (w *world) quiet() *violation {
	w.waiting = slices.DeleteFunc(w.waiting, func(c *call) bool { return c.orphan.Load() })
	w.say("from here on nothing goes wrong any more")
	if v := w.finish(); v != nil {
		return v
	}
	if w.books.crashed {
		w.say("every alert is repeated once, as a crash may have taken counts that no status shows yet")
		for _, letter := range alerts {
			if firing := w.books.newest(letter); firing >= 0 {
				w.send(1<<slices.Index(alerts, letter), firing, 0)
			}
		}
		if v := w.finish(); v != nil {
			return v
		}
	}
	for _, r := range w.replicas {
		w.writeCounters(r)
	}
	return w.finish()
}

func (w *world) finish() *violation {
	for range 3000 {
		switch {
		case len(w.waiting) > 0:
			w.run(0)
			if v := w.books.instant(); v != nil {
				return v
			}
		case w.busy():
			w.pass(500 * time.Millisecond)
		case len(w.unacked()) > 0:
			w.retry(0, w.n)
		default:
			return nil
		}
	}
	return &violation{"P6", "the world does not come to rest: a request never ends, or is never acknowledged"}
}

func (w *world) busy() bool {
	return slices.ContainsFunc(w.deliveries, func(d *delivery) bool { return d.under != nil }) || w.replicas[0].writing || w.replicas[1].writing
}

// stop ends every goroutine of the world.
func (w *world) stop() {
	w.mu.Lock()
	for _, r := range w.replicas {
		r.dead = true
	}
	w.mu.Unlock()
	for _, r := range w.replicas {
		r.cancel()
	}
	for len(w.waiting) > 0 {
		c := w.take(0)
		c.reply <- outcome{nil, errCrashed}
		w.settle()
	}
	w.requests.Wait()
	synctest.Wait()
}

// play carries out a plan and judges what came of it.
func (w *world) play(p plan) *violation {
	for _, o := range p {
		w.do(o)
		if v := w.books.instant(); v != nil {
			return v
		}
	}
	if v := w.quiet(); v != nil {
		return v
	}
	return w.books.final()
}
