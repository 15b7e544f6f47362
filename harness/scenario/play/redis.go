package play

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/harness/fault"
	hredis "github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/system"
)

// connectRedis finds the scenario's Redis, or starts one, and puts the fault proxy before it
// where one can stand.
func (w *world) connectRedis(ctx context.Context) (err error) {
	if !w.scenario.UsesRedis() {
		return nil
	}
	if err := w.startRedis(ctx); err != nil {
		return fmt.Errorf("starting the scenario's own Redis: %w", err)
	}
	if w.redis, err = w.access.Client(); err != nil {
		return err
	}
	if !w.access.Plain() {
		return nil
	}
	if w.redisProxy, err = fault.NewRedisProxy(ctx, w.access.Addrs[0]); err != nil {
		return err
	}
	if w.inCluster() {
		w.redisProxy.Expose(w.host.Node.Host)
	}
	if w.scenario.Needs.RedisDown {
		return w.arm(ctx, &scenario.Fault{ID: "redis-down", Target: "redis", Kind: "cut"})
	}
	return nil
}

func (w *world) startRedis(ctx context.Context) (err error) {
	w.access = w.host.Environment.Redis.Access()
	n := w.scenario.Needs
	if n.Redis != "own" {
		return nil
	}
	dir := filepath.Join(w.dir, "redis")
	if (n.Topology == "" || n.Topology == hredis.Standalone) && !n.TLS && !n.Password {
		var args []string
		if n.AOF {
			// With everysec an answer may go out before its write: while a sync is under way
			// Redis puts writes off, for two seconds at most.
			args = []string{"--appendonly", "yes", "--appendfsync", "always"}
		}
		if w.ownRedis, err = w.host.Environment.StartRedis(ctx, dir, w.secrets[redisPassword].value, args...); err == nil {
			w.access = hredis.Access{Topology: hredis.Standalone, Addrs: []string{w.ownRedis.Addr}, Password: w.ownRedis.Password}
		}
		return err
	}
	o := hredis.TopologyOptions{Topology: n.Topology, TLS: n.TLS, Dir: dir}
	if n.Password {
		o.Password = w.secrets[redisPassword].value
	}
	if w.topology, err = w.host.Environment.StartTopology(ctx, o); err == nil {
		w.access = w.topology.Access
	}
	return err
}

// stopRedis ends what startRedis started.
func (w *world) stopRedis(ctx context.Context) error {
	var errs []error
	if w.ownRedis != nil {
		errs = append(errs, w.ownRedis.Stop(ctx))
	}
	if w.topology != nil {
		errs = append(errs, w.topology.Stop(ctx))
	}
	w.ownRedis, w.topology = nil, nil
	return errors.Join(errs...)
}

// tellRedis says in a system's spec where Redis is.
func (w *world) tellRedis(ctx context.Context, spec *system.Spec) (err error) {
	spec.RedisPassword = w.access.Password
	if w.redisProxy == nil {
		spec.RedisTopology = &w.access
		return nil
	}
	spec.RedisAddr, err = w.redisProxy.Door(ctx, spec.Replica)
	return err
}

// redisGone says that the scenario has its own Redis and left it down.
func (w *world) redisGone(ctx context.Context) bool {
	return (w.ownRedis != nil || w.topology != nil) && w.redis.Ping(ctx).Err() != nil
}

// redisNodes are the nodes of the scenario's own topology for expressions.
func (w *world) redisNodes(ctx context.Context) []any {
	out := []any{}
	if w.topology == nil {
		return out
	}
	for _, n := range w.topology.Nodes(ctx) {
		out = append(out, map[string]any{"role": n.Role, "addr": n.Addr, "up": n.Up, "errors": n.Errors})
	}
	return out
}

// eachMaster does something at every server that holds keys, one after the other.
func (w *world) eachMaster(ctx context.Context, do func(ctx context.Context, master *redis.Client) error) error {
	switch c := w.redis.(type) {
	case *redis.ClusterClient:
		var one sync.Mutex
		return c.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			one.Lock()
			defer one.Unlock()
			return do(ctx, master)
		})
	case *redis.Client:
		return do(ctx, c)
	}
	return fmt.Errorf("there is no way to all servers of a %T", w.redis)
}

// scan lists the keys of all servers.
func (w *world) scan(ctx context.Context, pattern string) ([]string, error) {
	var found []string
	err := w.eachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		iter := master.Scan(ctx, 0, pattern, 1000).Iterator()
		for iter.Next(ctx) {
			found = append(found, iter.Val())
		}
		return iter.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("scanning keys: %w", err)
	}
	return found, nil
}

func (w *world) keys(ctx context.Context) ([]any, error) {
	if w.redis == nil {
		return []any{}, nil
	}
	names, err := w.scan(ctx, w.prefix+"*")
	if err != nil {
		return nil, err
	}
	ttls, kinds, sizes := make([]*redis.DurationCmd, len(names)), make([]*redis.StatusCmd, len(names)), make([]*redis.IntCmd, len(names))
	_, err = w.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range names {
			ttls[i], kinds[i], sizes[i] = p.PTTL(ctx, name), p.Type(ctx, name), p.MemoryUsage(ctx, name)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) { // nil is the size of a key that has just expired
		return nil, fmt.Errorf("reading TTLs, types and sizes of %d keys: %w", len(names), err)
	}
	out := []any{}
	for i, name := range names {
		if kinds[i].Val() == "none" {
			continue // it expired between SCAN and here
		}
		ms := ttls[i].Val().Milliseconds()
		if ttls[i].Val() < 0 {
			ms = -1
		}
		out = append(out, map[string]any{"name": strings.TrimPrefix(name, w.prefix), "type": kinds[i].Val(), "ttlMs": ms, "bytes": sizes[i].Val()})
	}
	return out, nil
}

func (w *world) redisCommand(ctx context.Context, c *scenario.RedisCommand) error {
	if err := w.act("redis", "", "", c.What()); err != nil {
		return err
	}
	switch {
	case c.Server != "":
		return w.redisServer(ctx, c)
	case c.Failover:
		if w.topology == nil {
			return errors.New("a redis failover needs `needs: {redis: own, topology: sentinel}`")
		}
		_, err := w.topology.Failover(ctx, "")
		return err
	case c.MoveSlotOf != "":
		if w.topology == nil {
			return errors.New("moving a slot needs `needs: {redis: own, topology: cluster}`")
		}
		return w.moveSlot(ctx, c)
	case c.Corrupt != "":
		return w.corrupt(ctx, c.Corrupt)
	}
	args := make([]any, len(c.Command))
	for i, a := range c.Command {
		args[i] = a
	}
	if err := w.redis.Do(ctx, args...).Err(); err != nil {
		return fmt.Errorf("running redis command %s: %w", strings.Join(c.Command, " "), err)
	}
	return nil
}

// moveSlot moves the slot of a key, or of the first one that begins so.
func (w *world) moveSlot(ctx context.Context, c *scenario.RedisCommand) error {
	key, first := strings.CutSuffix(w.prefix+w.expand(c.MoveSlotOf, 0), "*")
	if first {
		names, err := w.scan(ctx, w.prefix+"*")
		if err != nil {
			return err
		}
		slices.Sort(names)
		i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, key) })
		if i < 0 {
			return fmt.Errorf("no key begins with %s, so there is no slot to move", c.MoveSlotOf)
		}
		key = names[i]
	}
	_, err := w.topology.MoveSlot(ctx, key, func(ctx context.Context) error {
		select {
		case <-time.After(time.Duration(c.Halfway)):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return err
}

func (w *world) corrupt(ctx context.Context, value string) error {
	keys, err := w.keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		name := w.prefix + k.(map[string]any)["name"].(string)
		if err := w.redis.Set(ctx, name, value, redis.KeepTTL).Err(); err != nil {
			return fmt.Errorf("corrupting %s: %w", name, err)
		}
	}
	return nil
}

func (w *world) redisServer(ctx context.Context, c *scenario.RedisCommand) error {
	switch {
	case w.topology != nil && c.Server == "stop":
		_, err := w.topology.Kill(ctx, hredis.Pick{Role: c.Node})
		return err
	case w.topology != nil:
		return w.revive(ctx, c)
	case w.ownRedis == nil:
		return errors.New("a redis server step needs `needs: {redis: own}`")
	case c.Server == "stop":
		return w.ownRedis.Kill()
	default:
		return w.ownRedis.Restart(ctx, c.Server == "start")
	}
}

// revive starts nodes again; where that was all that was down, it waits until each has its
// place again.
func (w *world) revive(ctx context.Context, c *scenario.RedisCommand) error {
	if _, err := w.topology.Revive(ctx, c.Node, c.Server == "start"); err != nil {
		return err
	}
	for _, n := range w.topology.Nodes(ctx) {
		if !n.Up {
			return nil
		}
	}
	return w.topology.WaitHealthy(ctx)
}
