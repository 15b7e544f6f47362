package play

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/history"
	hredis "github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/scenario/expr"
	"github.com/stormproof/stormproof/harness/system"
)

// redisWorld is a world of which only Redis stands, of the topology that the needs say.
func redisWorld(t *testing.T, needs scenario.Needs) *world {
	t.Helper()
	binary, _, err := hredis.Find(t.Context(), hredis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	needs.Redis = "own"
	w := &world{host: &Host{RunID: "test", Environment: environment.Description{Redis: environment.RedisAddress{Binary: binary}}},
		scenario: &scenario.Scenario{ID: "RED-01", Needs: needs}, dir: t.TempDir(), prefix: "sp:test:", namespaces: []string{"ns"}}
	if w.history, err = history.Open(filepath.Join(w.dir, "history.jsonl"), w.now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.history.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.history.Add(history.Event{Step: -1, Begin: &history.Begin{Schema: history.Schema, Scenario: "RED-01"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.connectRedis(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.redis.Close(); err != nil {
			t.Error(err)
		}
		if err := w.stopRedis(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// sees evaluates an expression over the nodes as a scenario would.
func sees(t *testing.T, w *world, source string) bool {
	t.Helper()
	e, err := expr.Compile(source)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := e.Eval(map[string]any{"redisNodes": w.redisNodes(t.Context())})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestRedisStepsReachTheNodesOfATopology(t *testing.T) {
	tests := map[string]struct {
		needs scenario.Needs
		whole string
		step  scenario.RedisCommand
	}{
		"sentinel": {scenario.Needs{Topology: hredis.Sentinel}, "redisNodes.filter(n, n.role == 'replica' && n.up).size() == 2",
			scenario.RedisCommand{Failover: true}},
		"cluster": {scenario.Needs{Topology: hredis.Cluster, TLS: true, Password: true}, "redisNodes.filter(n, n.role == 'master' && n.up).size() == 3",
			scenario.RedisCommand{MoveSlotOf: "{{ns}}-*", Halfway: scenario.Duration(time.Millisecond)}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, ctx := NewWithT(t), t.Context()
			w := redisWorld(t, tc.needs)
			var spec system.Spec
			g.Expect(w.tellRedis(ctx, &spec)).To(Succeed())
			g.Expect(spec.RedisAddr).To(BeEmpty())
			g.Expect(*spec.RedisTopology).To(Equal(w.topology.Access))
			g.Expect(sees(t, w, tc.whole)).To(BeTrue())

			g.Expect(w.redis.Set(ctx, w.prefix+"ns-k", "v", 0).Err()).To(Succeed())
			before := w.redisNodes(ctx)
			g.Expect(w.redisCommand(ctx, &tc.step)).To(Succeed())
			if tc.step.MoveSlotOf != "" {
				g.Expect(w.redis.Get(ctx, w.prefix+"ns-k").Val()).To(Equal("v"))
				g.Expect(sees(t, w, "redisNodes.exists(n, 'MOVED' in n.errors)")).To(BeTrue(), "the client was sent on")
				g.Expect(w.redisCommand(ctx, &scenario.RedisCommand{MoveSlotOf: "none-*"})).To(MatchError(ContainSubstring("no key begins with none-*")))
			}
			if tc.step.Failover {
				g.Expect(w.redisNodes(ctx)).NotTo(Equal(before), "another node is the master now")
			}
			g.Expect(w.topology.WaitHealthy(ctx)).To(Succeed())

			g.Expect(w.redisCommand(ctx, &scenario.RedisCommand{Server: "stop", Node: hredis.Replica})).To(Succeed())
			g.Expect(sees(t, w, "redisNodes.exists_one(n, !n.up && n.role == 'replica')")).To(BeTrue())
			g.Expect(w.redisCommand(ctx, &scenario.RedisCommand{Server: "start", Node: hredis.Master})).NotTo(Succeed(), "no master is down")
			g.Expect(w.redisCommand(ctx, &scenario.RedisCommand{Server: "start-empty"})).To(Succeed())
			g.Expect(sees(t, w, tc.whole)).To(BeTrue())
		})
	}
}

func TestKeysOfAllMastersAreSeen(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	w := redisWorld(t, scenario.Needs{Topology: hredis.Cluster})
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		g.Expect(w.redis.Set(ctx, w.prefix+key, "v", 0).Err()).To(Succeed())
	}
	g.Expect(w.keys(ctx)).To(HaveLen(6))
	g.Expect(w.corrupt(ctx, "x")).To(Succeed())
	g.Expect(w.redis.Get(ctx, w.prefix+"e").Val()).To(Equal("x"))
	err := w.arm(ctx, &scenario.Fault{ID: "f", Target: "redis", Kind: "cut"})
	var unavailable *fault.UnavailableError
	g.Expect(errors.As(err, &unavailable)).To(BeTrue(), "no proxy reaches a cluster: %v", err)
}

func TestRedisStepsWithoutATopologySayWhatTheyNeed(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	w := redisWorld(t, scenario.Needs{})
	g.Expect(w.redisNodes(ctx)).To(BeEmpty())
	spec := system.Spec{Replica: 1}
	g.Expect(w.tellRedis(ctx, &spec)).To(Succeed())
	door, err := w.redisProxy.Door(ctx, 1)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(spec.RedisAddr).To(Equal(door), "each replica has a way of its own")
	g.Expect(spec.RedisTopology).To(BeNil())
	g.Expect(w.redisCommand(ctx, &scenario.RedisCommand{Failover: true})).To(MatchError(ContainSubstring("topology: sentinel")))
	g.Expect(w.redisCommand(ctx, &scenario.RedisCommand{MoveSlotOf: "k"})).To(MatchError(ContainSubstring("topology: cluster")))
	g.Expect(w.redisCommand(ctx, &scenario.RedisCommand{Server: "stop"})).To(Succeed())
	g.Expect(w.redisGone(ctx)).To(BeTrue())
	g.Expect(w.redisCommand(ctx, &scenario.RedisCommand{Server: "start-empty"})).To(Succeed())
	g.Expect(w.redisGone(ctx)).To(BeFalse())
	g.Expect(w.redisProxy.Close(ctx)).To(Succeed())
}
