package intake_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/policy"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// whole is the real intake, windows, writer, pages and counters on a Redis and an API
// server inside of the test.
type whole struct {
	*intake.Intake
	t        *testing.T
	redis    *miniredis.Miniredis
	cluster  client.Client
	counters *remediation.Counters
	clock    *clock.Shifted
	lists    int
	// beforeList, if not nil, happens once: before the next list.
	beforeList func()
}

func newWhole(t *testing.T) *whole {
	t.Helper()
	w := &whole{t: t, redis: miniredis.RunT(t), clock: &clock.Shifted{}}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	made := 0
	var lock sync.Mutex // objects are made several at once
	w.cluster = fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.RemediationRequest{}).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			lock.Lock()
			made++
			o.SetUID(types.UID("uid-" + strconv.Itoa(made)))
			lock.Unlock()
			return c.Create(ctx, o, opts...)
		},
		List: func(ctx context.Context, c client.WithWatch, o client.ObjectList, opts ...client.ListOption) error {
			lock.Lock()
			w.lists++
			do := w.beforeList
			w.beforeList = nil
			lock.Unlock()
			if do != nil {
				do()
			}
			return c.List(ctx, o, opts...)
		},
	}).Build()
	w.start()
	return w
}

// start is what a gateway knows when it starts.
func (w *whole) start() {
	rules, err := policy.Compile(policy.Default())
	if err != nil {
		w.t.Fatal(err)
	}
	c := config.Defaults()
	c.Storm.Rules[0].Threshold = 3
	store := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	w.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			w.t.Error(err)
		}
	})
	caller := remediation.Caller{Timeout: time.Second}
	w.counters = remediation.NewCounters(w.cluster, caller, time.Second, slog.New(slog.DiscardHandler))
	w.Intake = &intake.Intake{Config: c, Policy: rules, Counters: w.counters, Clock: w.clock,
		Windows: window.New(store, c.Redis.Prefix, c.Dedup.Window, w.clock, nil),
		Pages:   remediation.NewPages(w.cluster, caller, time.Second, w.clock),
		Writer: remediation.NewWriter(remediation.Options{Client: w.cluster, Caller: caller, Clock: w.clock, Window: c.Dedup.Window,
			HoldWhileActive: true, LastSeen: func(uid string) time.Time { return w.counters.Known(uid).LastSeen }})}
}

// send posts alerts one at a time, and checks what became of each.
func (w *whole) send(want string, list ...alert.Alert) {
	w.t.Helper()
	var got []string
	for _, a := range list {
		a.Index = 0
		vs, err := w.Process(context.Background(), []alert.Alert{a})
		if err != nil {
			w.t.Fatal(err)
		}
		got = append(got, vs[0].Verdict)
	}
	if strings.Join(got, " ") != want {
		w.t.Errorf("got %v, want %s", got, want)
	}
}

// holds checks the objects, as pod: occurrences/deliveries/members, and the members.
func (w *whole) holds(want ...string) {
	w.t.Helper()
	w.counters.Flush(context.Background())
	var rrs v1alpha1.RemediationRequestList
	var pages v1alpha1.StormPageList
	if err := errors.Join(w.cluster.List(context.Background(), &rrs), w.cluster.List(context.Background(), &pages)); err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, rr := range rrs.Items {
		name := rr.Spec.Labels["pod"]
		if rr.Spec.Storm != nil {
			name = "storm"
		}
		got = append(got, fmt.Sprintf("%s: %d/%d/%d", name, rr.Status.Occurrences, rr.Status.Deliveries, rr.Status.Members))
	}
	for _, p := range pages.Items {
		for _, m := range p.Spec.Members {
			got = append(got, "member "+m.Labels["pod"])
		}
	}
	sort.Strings(got)
	sort.Strings(want)
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func TestAStormOutlivesItsRedis(t *testing.T) {
	for name, restart := range map[string]bool{"flushed": false, "flushed, and the gateway started anew": true} {
		t.Run(name, func(t *testing.T) {
			w := newWhole(t)
			w.send("created created created member", alerts("a", "b", "c", "d")...)
			w.holds("a: 1/1/0", "b: 1/1/0", "storm: 2/2/2", "member c", "member d")
			w.redis.FlushAll()
			if restart {
				w.start()
			}
			w.send("duplicate member duplicate duplicate", alerts("d", "e", "c", "a")...)
			w.holds("a: 1/2/0", "b: 1/1/0", "storm: 3/5/3", "member c", "member d", "member e")
			again := alerts("c")
			again[0].StartsAt = began.Add(time.Second)
			w.send("duplicate", again...)
			w.holds("a: 1/2/0", "b: 1/1/0", "storm: 4/6/3", "member c", "member d", "member e")
		})
	}
}

func TestSlotsOutliveRedis(t *testing.T) {
	w := newWhole(t)
	w.send("created created", alerts("a", "b")...)
	w.redis.FlushAll()
	w.send("created duplicate", alerts("c", "b")...)
	w.holds("a: 1/1/0", "b: 1/2/0", "storm: 1/1/1", "member c")
	w.redis.FlushAll()
	w.clock.Advance(61 * time.Second)
	w.send("created duplicate", alerts("d", "c")...)
	w.holds("a: 1/1/0", "b: 1/2/0", "d: 1/1/0", "storm: 1/2/1", "member c")
}

func TestAGroupThatRedisKnowsIsReadForItsNewMembersOnly(t *testing.T) {
	w := newWhole(t)
	w.send("created created created", alerts("a", "b", "c")...)
	w.lists = 0
	w.send("member duplicate duplicate", alerts("d", "a", "c")...)
	if w.lists != 1 {
		t.Errorf("%d lists, want one: does the new member have an object of its own?", w.lists)
	}
}

func TestAResolvedAlertThatRedisForgotIsRecordedOnItsObject(t *testing.T) {
	w := newWhole(t)
	w.send("created created created", alerts("a", "b", "c")...)
	resolved := alerts("a", "c", "x")
	for i := range resolved {
		resolved[i].Resolved, resolved[i].EndsAt = true, began.Add(time.Minute)
	}
	w.redis.FlushAll()
	w.send("resolved resolved ignored", resolved...)
	w.send("member", alerts("y")...)
	w.send("ignored", resolved[2])
	w.counters.Flush(context.Background())
	var rrs v1alpha1.RemediationRequestList
	if err := w.cluster.List(context.Background(), &rrs); err != nil {
		t.Fatal(err)
	}
	ended := 0
	for _, rr := range rrs.Items {
		if rr.Status.ResolvedAt != nil && rr.Status.ResolvedAt.Time.Equal(began.Add(time.Minute)) {
			ended++
		}
	}
	if ended != 2 {
		t.Errorf("%d objects say when they were resolved, want 2", ended)
	}
}

func TestWhoWasToJoinADeletedStormJoinsAFreshOne(t *testing.T) {
	w := newWhole(t)
	w.send("created created created member", alerts("a", "b", "c", "d")...)
	w.deleteStorm()
	w.send("created", alerts("e")...)
	w.send("member member", alerts("c", "d")...)
	w.holds("a: 1/1/0", "b: 1/1/0", "storm: 3/3/3", "member c", "member c", "member d", "member d", "member e")
}

// Nothing was lost here: Redis was asked first, and the pages were read after another
// request had written them, which then failed.
func TestAMemberThatWasNotCountedYetIsNotTakenForCounted(t *testing.T) {
	w := newWhole(t)
	w.beforeList = func() {
		failing := *w.Intake
		failing.Windows = settlesNothing{w.Windows}
		if vs, err := failing.Process(context.Background(), alerts("a", "b", "c", "x")); err == nil {
			t.Errorf("a request that could not count was acknowledged: %v", vs)
		}
	}
	w.send("duplicate", alerts("x")...)
	w.holds("a: 0/0/0", "b: 0/0/0", "storm: 1/1/2", "member c", "member x")
	if _, err := w.Process(context.Background(), alerts("a", "b", "c", "x")); err != nil {
		t.Fatal(err)
	}
	w.holds("a: 1/1/0", "b: 1/1/0", "storm: 2/3/2", "member c", "member x")
}

// settlesNothing fails where a request would count.
type settlesNothing struct{ intake.Windows }

func (settlesNothing) Settle(context.Context, window.Group, string, []window.Settled) ([]window.Counts, error) {
	return nil, errors.New("the connection broke")
}

// deleteStorm deletes its object; nobody collects its pages.
func (w *whole) deleteStorm() {
	var rrs v1alpha1.RemediationRequestList
	if err := w.cluster.List(context.Background(), &rrs); err != nil {
		w.t.Fatal(err)
	}
	for i := range rrs.Items {
		if rrs.Items[i].Spec.Storm != nil {
			if err := w.cluster.Delete(context.Background(), &rrs.Items[i]); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}
