package degraded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

const dedup = 5 * time.Minute

var group = window.Group{Tag: "0123456789abcdef", Threshold: 3, Window: time.Minute}

// world is one Redis and one cluster, and replicas on them.
type world struct {
	t       *testing.T
	server  *miniredis.Miniredis
	store   *redis.Client
	cluster client.Client
	clock   *clock.Shifted
	n       int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: miniredis.RunT(t), clock: &clock.Shifted{}, cluster: fake.NewClientBuilder().WithScheme(scheme).Build()}
	w.store = redis.NewClient(&redis.Options{Addr: w.server.Addr()})
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// replica is one gateway's switch, with the windows of both sides.
type replica struct {
	*Switch
	w       *world
	redis   *window.Windows
	ledgers windows
	cutOff  error
}

func (w *world) replica() *replica {
	r := &replica{w: w, redis: window.New(w.store, "sp:", dedup, w.clock, nil)}
	r.Switch = New(Options{Redis: w.store, Prefix: "sp:", Patience: time.Second, Clock: w.clock, Log: slog.New(slog.DiscardHandler),
		Ledgers: Ledgers{Client: w.cluster, Caller: remediation.Caller{Timeout: time.Second}, Namespace: "home"},
		Probe: func(ctx context.Context) error {
			if r.cutOff != nil {
				return r.cutOff
			}
			return w.store.Set(ctx, "sp:probe", "1", time.Second).Err()
		}, Lost: func(bool) {}, Alerts: func(int) {}})
	r.ledgers = windows{r.Switch, dedup}
	return r
}

// lost is a replica without Redis.
func (w *world) lost() *replica {
	w.t.Helper()
	r := w.replica()
	r.cutOff = errors.New("cut off")
	if !r.lose(w.t.Context()) {
		w.t.Fatal("a Redis that refuses a write is not lost")
	}
	return r
}

type decider interface {
	Decide(ctx context.Context, g window.Group, r window.Request, items []window.Item) ([]window.Decision, []window.Counts, error)
	Settle(ctx context.Context, g window.Group, requestID string, items []window.Settled) ([]window.Counts, error)
}

func fp(i int) string { return fmt.Sprintf("%064x", i) }

func firing(i int, episodes ...int64) window.Item {
	item := window.Item{Fingerprint: fp(i)}
	for _, e := range episodes {
		item.Episodes = append(item.Episodes, time.UnixMilli(e))
	}
	return item
}

func (w *world) request() window.Request {
	w.n++
	return window.Request{ID: fmt.Sprint("r", w.n), NewStorm: fmt.Sprint("storm", w.n), Count: true, Seed: &window.Seed{}}
}

// handle decides on items and settles those that are not counted yet, as the intake does
// where Kubernetes knows nothing.
func (w *world) handle(by decider, items ...window.Item) []window.Decision {
	w.t.Helper()
	r := w.request()
	decisions, counts, err := by.Decide(w.t.Context(), group, r, items)
	if err != nil {
		w.t.Fatal(err)
	}
	if counts == nil {
		var settled []window.Settled
		for i, d := range decisions {
			o := window.Object{UID: "uid-" + items[i].Fingerprint, Namespace: "apps", Name: "rr"}
			if d.Storm != "" {
				o.UID = "uid-" + d.Storm
			}
			settled = append(settled, window.Settled{Item: items[i], Object: o, Incarnation: 1, Storm: d.Storm, Members: 1})
		}
		if _, err := by.Settle(w.t.Context(), group, r.ID, settled); err != nil {
			w.t.Fatal(err)
		}
	}
	return decisions
}

func kinds(decisions []window.Decision) []window.Kind {
	var out []window.Kind
	for _, d := range decisions {
		out = append(out, d.Kind)
	}
	return out
}

func (w *world) want(what string, got []window.Decision, want ...window.Kind) {
	w.t.Helper()
	if d := cmp.Diff(want, kinds(got)); d != "" {
		w.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// counted is what the windows say of a fingerprint's counters.
func (w *world) counted(r *replica, i int) window.Counts {
	w.t.Helper()
	counts, err := r.redis.Counted(w.t.Context(), []window.Ref{{Tag: group.Tag, Fingerprint: fp(i), UID: "uid-" + fp(i)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return counts[0]
}

func TestReplicasShareALedger(t *testing.T) {
	w := newWorld(t)
	replicas := []*replica{w.lost(), w.lost()}
	var mu sync.Mutex
	var all []window.Decision
	var wg sync.WaitGroup
	for i := range 20 {
		r := w.request()
		wg.Go(func() {
			d, _, err := replicas[i%2].ledgers.Decide(t.Context(), group, r, []window.Item{firing(i, 1)})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			all = append(all, d...)
		})
	}
	wg.Wait()
	storms, open := map[string]bool{}, 0
	for _, d := range all {
		if d.Kind == window.Open {
			open++
		} else {
			storms[d.Storm] = true
		}
	}
	if open != group.Threshold-1 || len(storms) != 1 {
		t.Errorf("%d own objects and the storms %v, want %d and one", open, storms, group.Threshold-1)
	}
}

func TestALedgerIsWhatRedisWouldBe(t *testing.T) {
	w := newWorld(t)
	r := w.lost()
	w.want("new", w.handle(r.ledgers, firing(1, 1)), window.Open)
	w.want("again", w.handle(r.ledgers, firing(1, 2)), window.Duplicate)
	w.clock.Advance(dedup + time.Millisecond)
	w.want("after the window", w.handle(r.ledgers, firing(1, 3)), window.Expired)
	w.clock.Advance(time.Hour)
	_, _, err := r.ledgers.Decide(t.Context(), group, window.Request{ID: "x", NewStorm: "x"}, []window.Item{firing(1, 4)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.Ledgers.read(t.Context(), group.Tag)
	if err != nil || len(l.Keys) > 0 {
		t.Errorf("an hour later the ledger holds %d keys, %v: keys end", len(l.Keys), err)
	}
}

func TestRedisIsTaughtWhatHappenedWithoutIt(t *testing.T) {
	w := newWorld(t)
	well, r := w.replica(), w.lost()
	w.want("before", w.handle(well.redis, firing(1, 1), firing(2, 1)), window.Open, window.Open)
	w.handle(well.redis, firing(1, 2))
	w.want("without Redis", w.handle(r.ledgers, firing(1, 1), firing(5, 1), firing(6, 1), firing(7, 1)),
		window.Open, window.Open, window.Member, window.Member)
	r.cutOff = nil
	if err := r.recover(t.Context()); err != nil || r.Why() != nil {
		t.Fatal(err, r.Why())
	}
	w.want("afterwards", w.handle(well.redis, firing(5, 1), firing(6, 1), firing(7, 1), firing(2, 1)),
		window.Duplicate, window.Duplicate, window.Duplicate, window.Duplicate)
	decisions, _, err := well.redis.Decide(t.Context(), group, window.Request{ID: "n", NewStorm: "n"}, []window.Item{firing(8, 1)})
	if err != nil {
		t.Fatal(err)
	}
	w.want("the storm goes on", decisions, window.Member)
	if c := w.counted(r, 1); c.Occurrences != 2 || c.Deliveries != 2 {
		t.Errorf("what Redis had counted is %+v now, want 2 occurrences in 2 deliveries", c)
	}
	for _, key := range w.server.Keys() {
		if w.server.TTL(key) <= 0 {
			t.Errorf("%s has no TTL", key)
		}
	}
	if w.server.Exists("sp:{g:" + group.Tag + "}:r:r3") {
		t.Error("Redis was taught the marker of a request")
	}
}

func TestARedisThatForgotAsksKubernetesAfterItWasTaught(t *testing.T) {
	w := newWorld(t)
	r := w.lost()
	w.handle(r.ledgers, firing(1, 1))
	r.cutOff = nil
	if err := r.recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	decisions, _, err := r.redis.Decide(t.Context(), group, window.Request{ID: "n", NewStorm: "n"}, []window.Item{firing(1, 1), firing(2, 1)})
	if err != nil {
		t.Fatal(err)
	}
	w.want("taught and never heard of", decisions, window.Duplicate, window.Unknown)
}

func TestAClosedLedgerEndsTheOutageOfTheOthers(t *testing.T) {
	w := newWorld(t)
	r, other := w.lost(), w.lost()
	w.handle(r.ledgers, firing(1, 1))
	w.clock.Advance(time.Second)
	r.cutOff = nil
	if err := r.recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	decide := func() error {
		_, _, err := other.ledgers.Decide(t.Context(), group, w.request(), []window.Item{firing(2, 1)})
		return err
	}
	if err := decide(); !errors.Is(err, errClosed) {
		t.Errorf("a closed ledger is answered %v", err)
	}
	w.clock.Advance(time.Second)
	other.lost.Store(nil)
	other.lose(t.Context())
	if err := decide(); err != nil {
		t.Errorf("an outage that began after it was closed: %v, want a new ledger", err)
	}
	other.cutOff = nil
	for range 2 {
		if err := other.recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(keepClosed + time.Second)
	}
	if all, err := r.Ledgers.all(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("there are still %d ledgers, %v", len(all), err)
	}
}

func TestWhoeverHasRedisTeachesItBeforeItOpensAnything(t *testing.T) {
	w := newWorld(t)
	r, well := w.lost(), w.replica()
	w.want("before", w.handle(well.redis, firing(1, 1)), window.Open)
	w.want("without Redis", w.handle(r.ledgers, firing(1, 1), firing(2, 1), firing(3, 1)), window.Open, window.Open, window.Member)
	w.want("with Redis", w.handle(well.Guard(well.redis), firing(3, 1), firing(4, 1)), window.Duplicate, window.Member)
	if n := len(w.members("z")); n != 3 {
		t.Errorf("%d took a slot, want the 3 of before: the claim was taken back", n)
	}
}

func (w *world) members(key string) map[string]float64 {
	w.t.Helper()
	all, err := w.server.SortedSet("sp:{g:" + group.Tag + "}:" + key)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestADeletedObjectIsFreedOnBothSides(t *testing.T) {
	w := newWorld(t)
	r := w.lost()
	w.handle(r.redis, firing(1, 1))
	w.handle(r.ledgers, firing(1, 1))
	w.server.SetError("OOM")
	free := r.Both(r.redis, dedup).Free
	freed := window.Freed{Fingerprint: fp(1), UID: "uid-" + fp(1)}
	if err := free(t.Context(), group, freed); err == nil {
		t.Error("Redis did not take it, and nobody comes again")
	}
	w.server.SetError("")
	if err := free(t.Context(), group, freed); err != nil {
		t.Fatal(err)
	}
	w.want("in the ledger", w.handle(r.ledgers, firing(1, 1)), window.Open)
	w.want("in Redis", w.handle(r.redis, firing(1, 1)), window.Open)
	if err := free(t.Context(), window.Group{Tag: "fedcba9876543210"}, window.Freed{Storm: "s"}); err != nil {
		t.Fatal(err)
	}
	if all, err := r.Ledgers.all(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d ledgers, %v: freeing makes none", len(all), err)
	}
}

func TestOneFailureDoesNotMakeRedisLost(t *testing.T) {
	w := newWorld(t)
	if r := w.replica(); r.lose(t.Context()) {
		t.Errorf("Redis takes a write and is lost: %v", r.Why())
	}
}

func TestAFullLedgerIsAnError(t *testing.T) {
	w := newWorld(t)
	r := w.lost()
	l, err := r.Ledgers.read(t.Context(), group.Tag)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, mostBytes)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	l.Keys = map[string]entry{"k": {Hash: map[string]string{"f": fmt.Sprintf("%x", noise)}}}
	if err := r.Ledgers.write(t.Context(), l); err == nil || stale(err) {
		t.Errorf("writing it is answered %v", err)
	}
}
