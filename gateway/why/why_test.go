package why_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/memory"
	"github.com/stormproof/stormproof/gateway/policy"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/why"
	"github.com/stormproof/stormproof/gateway/window"
)

var begin = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// still is a clock that moves by hand.
type still struct{ now time.Time }

func (s *still) Now() time.Time        { return s.now }
func (s *still) Offset() time.Duration { return s.now.Sub(begin) }

// bench is a gateway without HTTP, and who asks about it.
type bench struct {
	*intake.Intake
	why.Asker
	t        *testing.T
	clock    *still
	cluster  *memory.Cluster
	redis    *miniredis.Miniredis
	counters *remediation.Counters
}

func newBench(t *testing.T) *bench {
	rules, err := policy.Compile(policy.Default())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, clock: &still{begin}, cluster: memory.New(), redis: miniredis.RunT(t)}
	b.redis.SetTime(begin)
	store := redis.NewClient(&redis.Options{Addr: b.redis.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = store.Close() })
	c := config.Defaults()
	c.Storm.Rules[0].Threshold = 3
	caller := remediation.Caller{Timeout: time.Second}
	b.counters = remediation.NewCounters(b.cluster, caller, time.Second, slog.New(slog.DiscardHandler))
	windows := window.New(store, c.Redis.Prefix, c.Dedup.Window, b.clock, nil)
	writer := remediation.NewWriter(remediation.Options{Client: b.cluster, Caller: caller, Clock: b.clock, Window: c.Dedup.Window, HoldWhileActive: true})
	b.Intake = &intake.Intake{Config: c, Policy: rules, Counters: b.counters, Clock: b.clock, Windows: windows, Writer: writer,
		Pages: remediation.NewPages(b.cluster, caller, time.Second, b.clock)}
	b.Asker = why.Asker{Client: b.cluster, Writer: writer, Windows: windows, Clock: b.clock, Config: c}
	return b
}

func (b *bench) alert(pod string, firing int) alert.Alert {
	return alert.Alert{Labels: map[string]string{"alertname": "CPUHigh", "namespace": "shop", "pod": pod},
		StartsAt: begin.Add(time.Duration(firing) * time.Second), Source: alert.Alertmanager{}.Name()}
}

// send delivers alerts one by one and brings their counts into status.
func (b *bench) send(list ...alert.Alert) {
	b.t.Helper()
	for _, a := range list {
		if _, err := b.Process(context.Background(), []alert.Alert{a}); err != nil {
			b.t.Fatal(err)
		}
	}
	b.counters.Flush(context.Background())
}

func (b *bench) complete() {
	b.t.Helper()
	for _, rr := range b.cluster.Requests() {
		if err := b.cluster.Complete(rr); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) ask(pod string) why.Report {
	b.t.Helper()
	r, err := b.Ask(context.Background(), b.Intake.Config.Dedup.AlertIdentity().Fingerprint(b.alert(pod, 0)))
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// short says of a report what a test is about.
func short(r why.Report) []string {
	var out []string
	for _, p := range r.Places {
		redis := "unknown to Redis"
		if p.Redis != nil {
			redis = fmt.Sprintf("%d/%d/%d in Redis", p.Redis.Occurrences, p.Redis.Deliveries, p.Redis.Renotifications)
		}
		out = append(out, fmt.Sprintf("%.5s %d open=%v member=%v %d/%d/%d, %s", p.Name, p.Incarnation, p.Open, p.Joined != nil,
			p.Status.Occurrences, p.Status.Deliveries, p.Status.Renotifications, redis))
	}
	object := "a new object"
	if r.Next.Object != "" {
		object = r.Next.Object[:len("shop/rr")]
	}
	return append(out, "next: "+r.Next.Verdict+" "+object+" "+r.Next.Because)
}

func TestWhereAnAlertWentAndWhatItsNextDeliveryMeets(t *testing.T) {
	b := newBench(t)
	check := func(pod string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, short(b.ask(pod))); diff != "" {
			t.Errorf("%s: %s", pod, diff)
		}
	}
	b.send(b.alert("a", 0), b.alert("a", 0), b.alert("a", 1))
	check("a", "rr-"+b.prefix("a")+" 1 open=true member=false 2/3/1, 2/3/1 in Redis", "next: duplicate shop/rr its incident is open")

	b.send(b.alert("b", 0), b.alert("c", 0), b.alert("d", 0), b.alert("d", 0)) // c opens a storm
	check("d", "storm 1 open=true member=true 2/3/1, 1/2/1 in Redis", "next: duplicate shop/st it is a member of this storm, whose incident is open")

	b.complete()
	b.clock.now = b.clock.now.Add(6 * time.Minute)
	check("a", "rr-"+b.prefix("a")+" 1 open=false member=false 2/3/1, 2/3/1 in Redis", "next: created a new object its incident is over: the next one has an object of its own")

	b.send(b.alert("a", 400))
	b.redis.FlushAll()
	check("a", "rr-"+b.prefix("a")+" 2 open=true member=false 1/1/0, unknown to Redis",
		"rr-"+b.prefix("a")+" 1 open=false member=false 2/3/1, unknown to Redis", "next: duplicate shop/rr its incident is open")
	b.send(b.alert("e", 400))
	check("b", "rr-"+b.prefix("b")+" 1 open=false member=false 1/1/0, unknown to Redis",
		"next: created a new object its incident is over; with 2 openings of its group in 1m0s it opens a storm")
	b.send(b.alert("f", 400))
	check("b", "rr-"+b.prefix("b")+" 1 open=false member=false 1/1/0, unknown to Redis",
		"next: member shop/st its incident is over, and its group is in this storm")
}

// prefix is what of a fingerprint stands in the short form of an object's name.
func (b *bench) prefix(pod string) string {
	return b.Intake.Config.Dedup.AlertIdentity().Fingerprint(b.alert(pod, 0))[:2]
}

func TestAFingerprintThatIsNowhereSaysWhatToTypeNext(t *testing.T) {
	b := newBench(t)
	_, err := b.Ask(context.Background(), strings.Repeat("0", 64))
	var unknown *why.UnknownError
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "gateway explain FILE") {
		t.Errorf("got %v", err)
	}
}

func TestAStormsOwnFingerprintIsNoAlerts(t *testing.T) {
	b := newBench(t)
	b.send(b.alert("a", 0), b.alert("b", 0), b.alert("c", 0))
	for _, rr := range b.cluster.Requests() {
		if rr.Spec.Storm != nil {
			r, err := b.Ask(context.Background(), rr.Spec.Fingerprint)
			if err != nil || r.Next.Verdict != "none" || r.Places[0].Redis == nil || r.Places[0].Redis.Deliveries != 1 {
				t.Errorf("%+v, %v", r, err)
			}
		}
	}
}

func TestWithoutRedisTheAnswerIsKubernetesAlone(t *testing.T) {
	b := newBench(t)
	b.send(b.alert("a", 0))
	b.redis.Close()
	r := b.ask("a")
	if r.RedisError == "" || r.Places[0].Redis != nil || r.Next.Verdict != "duplicate" {
		t.Errorf("got %+v", r)
	}
}

// TestTheExampleInTheHandbookIsTrue compares docs/operating.md with what the command prints.
func TestTheExampleInTheHandbookIsTrue(t *testing.T) {
	b := newBench(t)
	b.send(b.alert("a", 0), b.alert("a", 0), b.alert("b", 0), b.alert("c", 0))
	b.clock.now = b.clock.now.Add(90 * time.Second)
	b.send(b.alert("c", 0))
	handbook, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range []string{"a", "c"} {
		var text strings.Builder
		r := b.ask(pod)
		if err := r.Text(&text); err != nil {
			t.Fatal(err)
		}
		// A storm's name follows from a random id.
		shown := regexp.MustCompile(`storm-[0-9a-f]{32}`).ReplaceAllString(text.String(), "storm-47d62adc3ed1678d474a1ff3678c64ad")
		if !strings.Contains(string(handbook), shown) {
			t.Errorf("docs/operating.md does not show this:\n%s", shown)
		}
		var back why.Report
		if b, err := json.Marshal(r); err != nil || json.Unmarshal(b, &back) != nil || back.Next != r.Next || len(back.Places) != len(r.Places) {
			t.Errorf("as JSON it says %s, %v", b, err)
		}
	}
}
