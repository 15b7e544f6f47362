package redis

import (
	"context"
	"errors"
	"fmt"
)

// migrateAtOnce is how many keys one MIGRATE takes.
const migrateAtOnce = 100

// Move is a slot that went from one master to another.
type Move struct {
	Slot     int
	From, To string // host:port
}

// MoveSlot moves the slot of a key to another master of a cluster. Clients that ask the old
// one are answered MOVED afterwards. In between, when both masters know of the move and no
// key has gone yet, half is called (nil for nothing): there, a key of the slot that does not
// exist is answered ASK.
func (t *Topology) MoveSlot(ctx context.Context, key string, half func(ctx context.Context) error) (Move, error) {
	t.changes.Lock()
	defer t.changes.Unlock()
	if t.Topology != Cluster {
		return Move{}, fmt.Errorf("the topology %s has no slots to move: use %s", t.Topology, Cluster)
	}
	from, err := t.shape.owner(ctx, t.nodes, key)
	if err != nil {
		return Move{}, err
	}
	masters, err := t.masters(ctx)
	if err != nil {
		return Move{}, err
	}
	var to *node
	for _, m := range masters {
		if m != from.master {
			to = m
			break
		}
	}
	if to == nil {
		return Move{}, errors.New("there is no other master that is up")
	}
	if err := move(ctx, from, to, masters, half); err != nil {
		return Move{}, fmt.Errorf("moving slot %d from %s to %s: %w", from.slot, from.master.addr(), to.addr(), err)
	}
	_, err = t.awaitHeir(ctx, from)
	return Move{Slot: from.slot, From: from.master.addr(), To: to.addr()}, err
}

func (t *Topology) masters(ctx context.Context) ([]*node, error) {
	var found []*node
	for _, n := range t.nodes {
		if n.down() {
			continue
		}
		role, err := n.ask(ctx)
		if err != nil {
			return nil, fmt.Errorf("asking %s for its role: %w", n.addr(), err)
		}
		if role == Master {
			found = append(found, n)
		}
	}
	return found, nil
}

func move(ctx context.Context, from seat, to *node, masters []*node, half func(ctx context.Context) error) error {
	fromID, err := from.master.client.ClusterMyID(ctx).Result()
	if err != nil {
		return err
	}
	toID, err := to.client.ClusterMyID(ctx).Result()
	if err != nil {
		return err
	}
	setSlot := func(n *node, args ...any) error {
		return n.client.Do(ctx, append([]any{"CLUSTER", "SETSLOT", from.slot}, args...)...).Err()
	}
	if err := setSlot(to, "IMPORTING", fromID); err != nil {
		return err
	}
	if err := setSlot(from.master, "MIGRATING", toID); err != nil {
		return err
	}
	if half != nil {
		if err := half(ctx); err != nil {
			return err
		}
	}
	if err := migrate(ctx, from, to); err != nil {
		return err
	}
	// The new owner first: else a client could be sent to one that does not know yet.
	if err := setSlot(to, "NODE", toID); err != nil {
		return err
	}
	for _, m := range masters {
		if m == to {
			continue
		}
		if err := setSlot(m, "NODE", toID); err != nil {
			return err
		}
	}
	return nil
}

// migrate sends all keys of the slot.
func migrate(ctx context.Context, from seat, to *node) error {
	for {
		keys, err := from.master.client.ClusterGetKeysInSlot(ctx, from.slot, migrateAtOnce).Result()
		if err != nil || len(keys) == 0 {
			return err
		}
		args := []any{"MIGRATE", loopback, to.child.port.Number, "", 0, changeTimeout.Milliseconds()}
		if password := to.child.peer.password; password != "" {
			args = append(args, "AUTH", password)
		}
		args = append(args, "KEYS")
		for _, key := range keys {
			args = append(args, key)
		}
		if err := from.master.client.Do(ctx, args...).Err(); err != nil {
			return err
		}
	}
}
