package window

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/gateway/clock"
)

const dedup = 5 * time.Minute

var group = Group{Tag: "0123456789abcdef", Threshold: 3, Window: time.Minute}

// bench is windows on a Redis of their own.
type bench struct {
	*Windows
	t       *testing.T
	server  *miniredis.Miniredis
	clock   *clock.Shifted
	corrupt int
	n       int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, server: server, clock: &clock.Shifted{}}
	b.Windows = New(client, "sp:", dedup, b.clock, func(n int) { b.corrupt += n })
	return b
}

func fp(i int) string { return fmt.Sprintf("%064x", i) }

func firing(i int, episodes ...int64) Item {
	item := Item{Fingerprint: fp(i)}
	for _, e := range episodes {
		item.Episodes = append(item.Episodes, time.UnixMilli(e))
	}
	return item
}

// decide uses a fresh request id for each call, as requests do.
func (b *bench) decide(items ...Item) []Decision {
	b.t.Helper()
	b.n++
	d, _, err := b.Decide(context.Background(), group, Request{ID: fmt.Sprint("d", b.n), NewStorm: fmt.Sprint("storm", b.n), Count: true, Seed: &Seed{}}, items)
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

func (b *bench) settle(request string, items ...Settled) []Counts {
	b.t.Helper()
	c, err := b.Settle(context.Background(), group, request, items)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func own(item Item) Settled {
	return Settled{Item: item, Object: Object{UID: "uid-" + item.Fingerprint[60:], Name: "rr", Namespace: "ns"}, Incarnation: 1}
}

func kinds(ds []Decision) []Kind {
	var out []Kind
	for _, d := range ds {
		out = append(out, d.Kind)
	}
	return out
}

func want(t *testing.T, got, wanted any) {
	t.Helper()
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}

func counters(c Counts) [2]int64 { return [2]int64{c.Occurrences, c.Deliveries} }

// three are all counters of an item.
func three(c Counts) [3]int64 { return [3]int64{c.Occurrences, c.Deliveries, c.Renotifications} }

func TestADuplicateRestartsTheWindowUntilItPasses(t *testing.T) {
	b := newBench(t)
	b.clock.Freeze(time.Now())
	want(t, kinds(b.decide(firing(1, 100))), []Kind{Open})
	b.settle("r", own(firing(1, 100)))
	for range 3 {
		want(t, kinds(b.decide(firing(1, 100))), []Kind{Duplicate})
		b.clock.Advance(dedup - time.Millisecond)
	}
	want(t, kinds(b.decide(firing(1, 100))), []Kind{Duplicate})
	b.clock.Advance(dedup + time.Millisecond)
	want(t, kinds(b.decide(firing(1, 100))), []Kind{Expired})
}

func TestAClaimWithoutAnObjectStaysOpenAndKeepsItsSlot(t *testing.T) {
	b := newBench(t)
	want(t, kinds(b.decide(firing(1, 100))), []Kind{Open})
	want(t, kinds(b.decide(firing(1, 100))), []Kind{Open})
	want(t, kinds(b.decide(firing(2, 100))), []Kind{Open})
	want(t, kinds(b.decide(firing(3, 100))), []Kind{Member})
}

func TestAClaimThatNobodyConfirmedInTimeIsDecidedAnew(t *testing.T) {
	b := newBench(t)
	for i := range 4 {
		b.decide(firing(i, 1))
	}
	b.clock.Advance(group.Window + time.Second)
	var again []Kind
	for i := range 8 {
		again = append(again, b.decide(firing(i, 1))[0].Kind)
	}
	want(t, again, []Kind{Open, Open, Member, Member, Member, Member, Member, Member})
}

func TestTheThresholdOpensOneStormThatOthersJoin(t *testing.T) {
	b := newBench(t)
	ds := b.decide(firing(1, 1), firing(2, 1), firing(3, 1), firing(4, 1))
	want(t, kinds(ds), []Kind{Open, Open, Member, Member})
	want(t, ds[2].Storm, "storm1")
	want(t, b.decide(firing(5, 1))[0].Storm, "storm1")
}

func TestAStormEndsAWindowAfterItsLastNewMember(t *testing.T) {
	b := newBench(t)
	b.clock.Freeze(time.Now())
	b.decide(firing(1, 1), firing(2, 1), firing(3, 1))
	b.clock.Advance(group.Window - time.Millisecond)
	want(t, b.decide(firing(4, 1))[0].Storm, "storm1")
	b.clock.Advance(group.Window + time.Millisecond)
	want(t, kinds(b.decide(firing(5, 1), firing(6, 1))), []Kind{Open, Open})
	want(t, b.decide(firing(7, 1))[0].Storm, "storm4")
}

func TestOpeningsOlderThanTheWindowDoNotCount(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 1), firing(2, 1))
	b.clock.Advance(group.Window + time.Millisecond)
	want(t, kinds(b.decide(firing(3, 1))), []Kind{Open})
}

func TestEpisodesCountOnceAndDeliveriesOnceARequest(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 100))
	want(t, counters(b.settle("r1", own(firing(1, 100)))[0]), [2]int64{1, 1})
	want(t, counters(b.settle("r1", own(firing(1, 100)))[0]), [2]int64{1, 1})
	want(t, counters(b.settle("r2", own(firing(1, 100, 200)))[0]), [2]int64{2, 2})
}

func TestADeliveryWithoutANewEpisodeIsARenotification(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 100))
	for _, step := range []struct {
		request  string
		episodes []int64
		want     [3]int64
	}{
		{"r1", []int64{100, 200}, [3]int64{2, 1, 0}},
		{"r1", []int64{100, 200}, [3]int64{2, 1, 0}}, // the same call again, as after a lost reply
		{"r2", []int64{200}, [3]int64{2, 2, 1}},
		{"r2", []int64{200}, [3]int64{2, 2, 1}},
		{"r3", []int64{100, 300}, [3]int64{3, 3, 1}},
		{"r4", nil, [3]int64{3, 3, 1}},
		{"r5", []int64{300, 100}, [3]int64{3, 4, 2}},
	} {
		want(t, three(b.settle(step.request, own(firing(1, step.episodes...)))[0]), step.want)
	}
}

func TestPureDuplicatesAreCountedByDecideOnceARequest(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 100))
	b.settle("r1", own(firing(1, 100)))
	for range 2 { // the same call twice, as after a lost reply
		_, counts, err := b.Decide(context.Background(), group, Request{ID: "r2", NewStorm: "s", Count: true, Seed: &Seed{}}, []Item{firing(1, 300)})
		if err != nil {
			t.Fatal(err)
		}
		want(t, counters(counts[0]), [2]int64{2, 2})
	}
}

func TestNothingIsCountedBesideAnAlertThatIsNotDurableYet(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 100))
	b.settle("r1", own(firing(1, 100)))
	_, counts, err := b.Decide(context.Background(), group, Request{ID: "r2", NewStorm: "s", Count: true, Seed: &Seed{}}, []Item{firing(1, 200), firing(2, 200)})
	if err != nil {
		t.Fatal(err)
	}
	want(t, len(counts), 0)
	want(t, counters(b.settle("r3", own(firing(1, 100)))[0]), [2]int64{1, 2})
}

func TestCountersGoOnWhereKubernetesLeftThem(t *testing.T) {
	b := newBench(t)
	s := own(firing(1, 100, 900))
	s.Occurrences, s.Deliveries, s.Renotifications, s.Newest = 4, 7, 3, time.UnixMilli(500)
	want(t, three(b.settle("r1", s)[0]), [3]int64{5, 8, 3})
	again := own(firing(1, 900))
	want(t, three(b.settle("r2", again)[0]), [3]int64{5, 9, 4})
}

func TestStormTotalsAreSumsOverMembers(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 1), firing(2, 1))
	id := b.decide(firing(3, 1), firing(4, 1))[0].Storm
	member := func(i int, episodes ...int64) Settled {
		return Settled{Item: firing(i, episodes...), Object: Object{UID: "storm-uid", Name: "storm", Namespace: "ns"}, Storm: id, Incarnation: 1, Members: 2}
	}
	b.settle("r1", member(3, 1), member(4, 1))
	got := b.settle("r2", member(3, 1, 2))[0]
	want(t, [4]int64{got.StormMembers, got.StormOccurrences, got.StormDeliveries, got.StormRenotifications}, [4]int64{2, 3, 3, 0})
	got = b.settle("r3", member(3, 1, 2), member(4, 1))[1]
	want(t, [4]int64{got.StormMembers, got.StormOccurrences, got.StormDeliveries, got.StormRenotifications}, [4]int64{2, 3, 5, 2})
}

func TestRepeatsFromAClosedStormStillCount(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 1), firing(2, 1))
	id := b.decide(firing(3, 1))[0].Storm
	b.settle("r1", Settled{Item: firing(3, 1), Object: Object{UID: "storm-uid", Name: "storm", Namespace: "ns"}, Storm: id, Incarnation: 1, Members: 1})
	b.clock.Advance(group.Window + time.Second)
	b.decide(firing(9, 1)) // closes the storm
	_, counts, err := b.Decide(context.Background(), group, Request{ID: "r2", NewStorm: "s", Count: true, Seed: &Seed{}}, []Item{firing(3, 2)})
	if err != nil {
		t.Fatal(err)
	}
	want(t, [3]int64{counts[0].StormMembers, counts[0].StormOccurrences, counts[0].StormDeliveries}, [3]int64{1, 2, 2})
}

func TestResolvedNeverOpens(t *testing.T) {
	b := newBench(t)
	resolved := Item{Fingerprint: fp(1), ResolvedAt: time.UnixMilli(500)}
	want(t, kinds(b.decide(resolved)), []Kind{Ignored})
	b.decide(firing(1, 100))
	b.settle("r1", own(firing(1, 100)))
	want(t, kinds(b.decide(resolved)), []Kind{Resolved})
	want(t, b.settle("r2", own(resolved))[0].ResolvedAt, int64(500))
}

func TestAnIncidentThatIsOverIsForgottenOnlyByItsUID(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 100))
	b.settle("r1", own(firing(1, 100)))
	item := firing(1, 100)
	item.Over = "another"
	want(t, kinds(b.decide(item)), []Kind{Duplicate})
	item.Over = own(item).UID
	d := b.decide(item)[0]
	want(t, d.Kind, Open)
	want(t, d.Incarnation, 1)
}

func TestKeysOfAWrongTypeAreReplacedAndCounted(t *testing.T) {
	b := newBench(t)
	if err := b.server.Set("sp:{g:"+group.Tag+"}:i:"+fp(1), "garbage"); err != nil {
		t.Fatal(err)
	}
	want(t, kinds(b.decide(firing(1, 100))), []Kind{Open})
	want(t, b.corrupt, 1)
}

func TestEveryKeyHasATTL(t *testing.T) {
	b := newBench(t)
	id := b.decide(firing(1, 1), firing(2, 1), firing(3, 1))[2].Storm
	m := own(firing(3, 1))
	m.Storm = id
	b.settle("r1", own(firing(1, 1)), m)
	keys := b.server.Keys()
	if len(keys) < 6 {
		t.Fatalf("expected at least 6 keys, got %v", keys)
	}
	for _, k := range keys {
		if b.server.TTL(k) <= 0 {
			t.Errorf("%s never expires", k)
		}
	}
}

func TestConcurrentAlertsOfOneGroupNeverTakeMoreSlotsThanThereAre(t *testing.T) {
	b := newBench(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	opened, storms := 0, map[string]bool{}
	for i := range 100 {
		wg.Go(func() {
			d, _, err := b.Decide(context.Background(), group, Request{ID: fmt.Sprint("r", i), NewStorm: fmt.Sprint("s", i), Count: true, Seed: &Seed{}}, []Item{firing(i, 1)})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if d[0].Kind == Open {
				opened++
			} else {
				storms[d[0].Storm] = true
			}
		})
	}
	wg.Wait()
	want(t, [2]int{opened, len(storms)}, [2]int{group.Threshold - 1, 1})
}

func TestAFiringFromBefore1970IsCounted(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, -5000))
	want(t, counters(b.settle("r", own(firing(1, -5000)))[0]), [2]int64{1, 1})
}

// TestTimesOfFifteenDigitsKeepThemAll: no calendar that a sender shows may stop an alert.
func TestTimesOfFifteenDigitsKeepThemAll(t *testing.T) {
	const last = 253402300799999 // the end of the year 9999
	b := newBench(t)
	b.decide(firing(1, last-1))
	item := own(firing(1, last-1))
	item.ResolvedAt = time.UnixMilli(last)
	want(t, b.settle("r", item)[0].Newest, int64(last-1))
	b.n++
	_, c, err := b.Decide(context.Background(), group, Request{ID: "again", NewStorm: "", Count: true, Seed: &Seed{}}, []Item{firing(1, last-1, last)})
	if err != nil {
		t.Fatal(err)
	}
	want(t, []int64{c[0].Newest, c[0].ResolvedAt, c[0].Occurrences}, []int64{last, last, 2})
}

func TestADeletedObjectIsForgottenOnlyByItsUID(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 100))
	b.settle("r1", own(firing(1, 100)))
	b.free(Freed{Fingerprint: fp(1), UID: "another"})
	want(t, kinds(b.decide(firing(1, 100))), []Kind{Duplicate})
	b.free(Freed{Fingerprint: fp(1), UID: own(firing(1)).UID})
	want(t, kinds(b.decide(firing(1, 100), firing(2, 100), firing(3, 100))), []Kind{Open, Open, Member})
}

// A request that found the object before it was deleted counts after it: what the next alert
// meets must not be the dead object, nor may its successor's record be lost.
func TestARequestThatOutlivesItsObjectLeavesNoRecord(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 100))
	old, next := own(firing(1, 100)), own(firing(1, 100))
	next.UID = "next"
	b.free(Freed{Fingerprint: fp(1), UID: old.UID})
	want(t, counters(b.settle("r1", old)[0]), [2]int64{1, 1})
	want(t, kinds(b.decide(firing(1, 100))), []Kind{Open})
	b.settle("r2", next)
	b.settle("r3", old)
	want(t, b.decide(firing(1, 100))[0].UID, "next")

	b.decide(firing(2, 1))
	id := b.decide(firing(3, 1))[0].Storm
	b.free(Freed{Fingerprint: fp(9), UID: "storm-uid", Storm: id, NewStorm: "later"})
	b.settle("r4", Settled{Item: firing(3, 1), Object: Object{UID: "storm-uid", Name: "storm", Namespace: "ns"}, Storm: id, Incarnation: 1, Members: 1})
	d := b.decide(firing(3, 1))[0]
	want(t, []any{d.Kind, d.Storm}, []any{Member, "later"})

	// Another one, which had asked before, made the storm's object once more.
	b.settle("r5", Settled{Item: firing(4, 1), Object: Object{UID: "again", Name: "storm", Namespace: "ns"}, Storm: id, Incarnation: 1, Members: 1})
	b.free(Freed{Fingerprint: fp(9), UID: "storm-uid", Storm: id, NewStorm: "later still"}) // as after a lost reply
	want(t, kinds(b.decide(firing(4, 1))), []Kind{Duplicate})
	want(t, b.decide(firing(5, 1))[0].StormUID, "again")
}

func (b *bench) free(f Freed) {
	b.t.Helper()
	if err := b.Free(context.Background(), group, f); err != nil {
		b.t.Fatal(err)
	}
}

func TestMembersOfADeletedStormJoinTheNext(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 1), firing(2, 1))
	id := b.decide(firing(3, 1))[0].Storm
	b.settle("r1", Settled{Item: firing(3, 1), Object: Object{UID: "storm-uid", Name: "storm", Namespace: "ns"}, Storm: id, Incarnation: 1, Members: 1})
	d := b.decide(firing(4, 1))[0]
	want(t, []string{d.Storm, d.StormUID}, []string{id, "storm-uid"})
	for range 2 { // the same deletion twice, as after a lost reply
		b.free(Freed{Fingerprint: fp(9), UID: "storm-uid", Storm: id, NewStorm: "next"})
	}
	for _, d := range b.decide(firing(3, 1), firing(4, 1), firing(5, 1)) {
		want(t, []any{d.Kind, d.Storm, d.StormUID}, []any{Member, "next", ""})
	}
}

func TestCountsAreReadBack(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 1), firing(2, 1))
	id := b.decide(firing(3, 1))[0].Storm
	b.settle("r1", own(firing(1, 1, 5)), Settled{Item: firing(3, 1), Object: Object{UID: "s"}, Storm: id, Members: 1})
	b.settle("r2", own(firing(1, 5)))
	got, err := b.Counted(context.Background(), []Ref{{Tag: group.Tag, Fingerprint: fp(1), UID: own(firing(1)).UID},
		{Tag: group.Tag, Fingerprint: fp(1), UID: "another"}, {Tag: group.Tag, Fingerprint: fp(7), Storm: id}, {Tag: group.Tag, Fingerprint: fp(8), UID: "none"}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, []int64{got[0].Occurrences, got[0].Deliveries, got[0].Renotifications, got[0].Newest, got[1].Deliveries, got[2].StormMembers, got[2].Occurrences, got[3].Deliveries},
		[]int64{2, 2, 1, 5, 0, 1, 1, 0})
}

func TestAFieldThatIsNoNumberIsReplacedAndCounted(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 100))
	b.settle("r1", own(firing(1, 100)))
	b.server.HSet("sp:{g:"+group.Tag+"}:i:"+fp(1), "occ", "many")
	s := own(firing(1, 100))
	s.Occurrences, s.Deliveries = 7, 8
	want(t, counters(b.settle("r2", s)[0]), [2]int64{8, 9})
	want(t, b.corrupt, 1)
}

func TestAnIncidentKeepsItsNewestFiringsOnly(t *testing.T) {
	b := newBench(t)
	b.decide(firing(1, 1))
	var all []int64
	for i := range int64(3 * episodes) {
		all = append(all, 1000+i)
	}
	for range 2 {
		want(t, b.settle("r", own(firing(1, all...)))[0].Occurrences, int64(3*episodes))
	}
	if n := len(b.server.HGet("sp:{g:"+group.Tag+"}:i:"+fp(1), "eps")); n > 5*episodes {
		t.Errorf("firings take %d bytes", n)
	}
}

func TestNothingIsClaimedForAGroupThatRedisDoesNotKnow(t *testing.T) {
	b := newBench(t)
	ask := func(seed *Seed, item Item) Kind {
		b.n++
		d, _, err := b.Decide(context.Background(), group, Request{ID: fmt.Sprint(b.n), NewStorm: fmt.Sprint("s", b.n), Count: true, Seed: seed}, []Item{item})
		if err != nil {
			t.Fatal(err)
		}
		return d[0].Kind
	}
	now := time.Now()
	full := &Seed{Openings: []Opening{{fp(8), now}, {fp(9), now}}}
	want(t, []Kind{ask(nil, firing(1, 1)), ask(nil, firing(1, 1)), ask(nil, Item{Fingerprint: fp(1), ResolvedAt: now})}, []Kind{Unknown, Unknown, Unknown})
	want(t, len(b.server.Keys()), 0)
	want(t, []Kind{ask(full, firing(1, 1)), ask(full, firing(2, 1)), ask(nil, firing(3, 1))}, []Kind{Member, Member, Member})
	b.clock.Advance(group.Window + time.Second)
	want(t, []Kind{ask(nil, firing(4, 1)), ask(&Seed{}, firing(4, 1))}, []Kind{Unknown, Open})
}
