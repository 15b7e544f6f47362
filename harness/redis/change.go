package redis

import (
	"context"
	"errors"
	"fmt"
)

// Pick says which node is meant: the first one of a role, in a cluster of the shard that
// owns the key. A key of "" stands for slot 0; other topologies have one shard.
type Pick struct {
	// Role is Master, Replica or Sentinel; "" is Master.
	Role string
	Key  string
}

// Kill ends a node at once, as a crash would, and says which. What it had not saved is lost.
func (t *Topology) Kill(ctx context.Context, p Pick) (Node, error) { return t.end(ctx, p, false) }

// Shutdown lets a node save its data and end.
func (t *Topology) Shutdown(ctx context.Context, p Pick) (Node, error) { return t.end(ctx, p, true) }

func (t *Topology) end(ctx context.Context, p Pick, save bool) (Node, error) {
	t.changes.Lock()
	defer t.changes.Unlock()
	n, err := t.pick(ctx, p)
	if err != nil {
		return Node{}, err
	}
	err = n.end(ctx, save)
	return n.look(ctx), err
}

// Revive starts all nodes again that are down and had the role last ("" for any), with the
// data that they had saved or without any, and says which. It returns when they answer;
// WaitHealthy returns when they have their place again.
func (t *Topology) Revive(ctx context.Context, role string, keepData bool) ([]Node, error) {
	t.changes.Lock()
	defer t.changes.Unlock()
	var revived []Node
	for _, n := range t.nodes {
		if seen := n.look(ctx); !n.down() || role != "" && seen.Role != role {
			continue
		}
		if err := n.begin(ctx, keepData); err != nil {
			return revived, err
		}
		revived = append(revived, n.look(ctx))
	}
	if len(revived) == 0 {
		return nil, fmt.Errorf("starting redis: no %s is down", or(role, "node"))
	}
	return revived, nil
}

// Failover asks for an orderly failover of the master that owns the key, and returns the
// new master when all agree on it.
func (t *Topology) Failover(ctx context.Context, key string) (Node, error) {
	return t.succeed(ctx, key, func(master *node) error { return t.shape.handOver(ctx, t.nodes, master) })
}

// Crash kills the master that owns the key, and returns the new one when all agree on it.
func (t *Topology) Crash(ctx context.Context, key string) (Node, error) {
	if t.Topology == Standalone {
		return Node{}, errNoFailover
	}
	return t.succeed(ctx, key, func(master *node) error { return master.end(ctx, false) })
}

func (t *Topology) succeed(ctx context.Context, key string, begin func(master *node) error) (Node, error) {
	t.changes.Lock()
	defer t.changes.Unlock()
	was, err := t.shape.owner(ctx, t.nodes, key)
	if err != nil {
		return Node{}, err
	}
	if err := begin(was.master); err != nil {
		return Node{}, err
	}
	heir, err := t.awaitHeir(ctx, was)
	if err != nil {
		return Node{}, err
	}
	return heir.look(ctx), nil
}

// awaitHeir returns the master that has the seat of another one when all agree on it.
func (t *Topology) awaitHeir(ctx context.Context, was seat) (heir *node, err error) {
	err = await(ctx, "another master than "+was.master.addr(), func(ctx context.Context) (amiss string, err error) {
		heir, amiss, err = t.shape.heir(ctx, t.nodes, was)
		return amiss, err
	})
	return heir, err
}

// pick finds a node that is up.
func (t *Topology) pick(ctx context.Context, p Pick) (*node, error) {
	if p.Role == Sentinel {
		for _, n := range t.nodes {
			if n.sentinel != nil && !n.down() {
				return n, nil
			}
		}
		return nil, fmt.Errorf("the topology %s has no sentinel that is up", t.Topology)
	}
	owner, err := t.shape.owner(ctx, t.nodes, p.Key)
	if err != nil {
		return nil, err
	}
	switch p.Role {
	case "", Master:
		if owner.master.down() {
			return nil, errors.New("the master " + owner.master.addr() + " is down already")
		}
		return owner.master, nil
	case Replica:
		return replicaOf(ctx, t.nodes, owner.master)
	}
	return nil, fmt.Errorf("there is no role %q: use %s, %s or %s", p.Role, Master, Replica, Sentinel)
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
