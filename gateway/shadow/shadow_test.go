package shadow

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/policy"
	"github.com/stormproof/stormproof/gateway/window"
)

// books count as the gateway's metrics do.
type books struct {
	verdicts, priorities map[string]int
	dropped              int
}

func (b *books) ShadowVerdict(verdict, would string)   { b.verdicts[verdict+">"+would]++ }
func (b *books) ShadowPriority(priority, would string) { b.priorities[priority+">"+would]++ }
func (b *books) ShadowDropped(alerts int)              { b.dropped += alerts }
func want(t *testing.T, got, wanted any) {
	t.Helper()
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}

// pods are n alerts of as many pods.
func pods(n int) []alert.Alert {
	var out []alert.Alert
	for i := range n {
		out = append(out, alert.Alert{Index: i, StartsAt: time.UnixMilli(1), Labels: map[string]string{
			"alertname": "A", "namespace": "shop", "severity": "critical", "pod": fmt.Sprint("p", i)}})
	}
	return out
}

// created is what a configuration that bounds nothing says of them.
func created(alerts []alert.Alert) []intake.Verdict {
	var out []intake.Verdict
	for _, a := range alerts {
		out = append(out, intake.Verdict{Index: a.Index, Verdict: intake.Created, Namespace: "shop",
			Fingerprint: config.Defaults().Dedup.AlertIdentity().Fingerprint(a)})
	}
	return out
}

// tried is a shadow of other on a Redis of its own; the configuration in force is the default.
func tried(t *testing.T, other config.Config) (*Shadow, *books) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &books{verdicts: map[string]int{}, priorities: map[string]int{}}
	s := New(b, slog.New(slog.DiscardHandler))
	inForce, err := policy.Compile(config.Defaults().Policy)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Try(inForce, other, window.New(client, "sp:shadow:", other.Dedup.Window, clock.Real{}, nil), clock.Real{}); err != nil {
		t.Fatal(err)
	}
	return s, b
}

func compare(s *Shadow, alerts []alert.Alert, verdicts []intake.Verdict) {
	s.compare(context.Background(), batch{s.pair.Load(), alerts, verdicts})
}

func TestALowerThresholdWouldMakeAStorm(t *testing.T) {
	c := config.Defaults()
	c.Storm.Rules[0].Threshold = 3
	s, b := tried(t, c)
	alerts := pods(5)
	compare(s, alerts, created(alerts))
	want(t, b.verdicts, map[string]int{"created>created": 3, "created>member": 2})
	if d := s.Differences(); len(d) != 2 || d[0].Real.Verdict != intake.Created || d[0].Would.Verdict != intake.Member || d[0].Labels["pod"] == "" {
		t.Errorf("%+v", d)
	}
	compare(s, alerts, created(alerts))
	want(t, b.verdicts, map[string]int{"created>created": 3, "created>member": 2, "created>duplicate": 5})
}

func TestTheSameConfigurationDiffersInNothing(t *testing.T) {
	s, b := tried(t, config.Defaults())
	alerts := pods(5)
	compare(s, alerts, created(alerts))
	want(t, b.verdicts, map[string]int{"created>created": 5})
	want(t, len(s.Differences()), 0)
}

func TestAnotherIdentityAndPolicyAreSeen(t *testing.T) {
	c := config.Defaults()
	c.Dedup.IgnoredLabels = append(c.Dedup.IgnoredLabels, "pod")
	c.Policy.Examples = nil
	for i := range c.Policy.Table {
		c.Policy.Table[i].Priority = "P3"
	}
	s, b := tried(t, c)
	alerts := pods(2)
	compare(s, alerts, created(alerts))
	want(t, b.verdicts, map[string]int{"created>created": 1, "created>duplicate": 1})
	want(t, len(s.Differences()), 2)
	if len(b.priorities) != 1 || b.priorities["P3>P3"] != 0 {
		t.Errorf("%v", b.priorities)
	}
}

func TestOnlyTheNewestDifferencesAreKept(t *testing.T) {
	c := config.Defaults()
	c.Storm.Rules[0].Threshold = 2
	s, _ := tried(t, c)
	alerts := pods(newest + 20)
	compare(s, alerts, created(alerts))
	d := s.Differences()
	want(t, len(d), newest)
	want(t, d[newest-1].Labels["pod"], fmt.Sprint("p", newest+19))
}

func TestNobodyWaitsForAShadow(t *testing.T) {
	s, b := tried(t, config.Defaults())
	for range waiting + 3 {
		s.Offer(pods(2), nil)
	}
	want(t, b.dropped, 6)
	s.Rest()
	s.Offer(pods(2), nil)
	want(t, b.dropped, 6)
}

func TestAShadowWithoutRedisDropsAndSaysSo(t *testing.T) {
	s, b := tried(t, config.Defaults())
	p := *s.pair.Load()
	p.process.Windows = broken{}
	compare(s, pods(2), nil)
	want(t, b.dropped, 2)
}

// broken is a Redis that is down.
type broken struct{ intake.Windows }

func (broken) Decide(context.Context, window.Group, window.Request, []window.Item) ([]window.Decision, []window.Counts, error) {
	return nil, nil, redis.ErrClosed
}
