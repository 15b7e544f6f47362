package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	clusterMasters = 3
	slots          = 16384
	// nodeTimeoutMS is when a cluster takes a node for dead; a replica stands in about a
	// second later. Lower values would take a busy machine for a dead node.
	nodeTimeoutMS = 1500
)

// sharded is a cluster: the masters come first, then the replicas in the same order.
type sharded struct{}

func layoutCluster(l layout) ([]*node, shape, error) {
	masters, err := l.nodes(clusterMasters, Master)
	if err != nil {
		return masters, nil, err
	}
	replicas, err := l.nodes(clusterMasters, Replica)
	nodes := slices.Concat(masters, replicas)
	if err != nil {
		return nodes, nil, err
	}
	for _, n := range nodes {
		if err := l.giveBus(n); err != nil {
			return nodes, nil, err
		}
		n.child.lines = append(n.child.lines, "cluster-enabled yes", "cluster-node-timeout "+strconv.Itoa(nodeTimeoutMS),
			// Any replica may stand in, however old; none leaves its shard for another.
			"cluster-replica-validity-factor 0", "cluster-allow-replica-migration no")
	}
	return nodes, sharded{}, nil
}

// form gives the masters their slots, introduces everybody, and turns the others into
// replicas as soon as they know their masters.
func (sharded) form(ctx context.Context, nodes []*node) error {
	for i, n := range nodes {
		if err := n.client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			return fmt.Errorf("numbering %s: %w", n.addr(), err)
		}
		if i < clusterMasters {
			first, last := i*slots/clusterMasters, (i+1)*slots/clusterMasters-1
			if err := n.client.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
				return fmt.Errorf("giving %s its slots: %w", n.addr(), err)
			}
		}
	}
	for i, n := range nodes {
		for _, other := range nodes[i+1:] {
			if err := n.client.Do(ctx, "CLUSTER", "MEET", loopback, other.child.port.Number, other.bus.Number).Err(); err != nil {
				return fmt.Errorf("introducing %s to %s: %w", other.addr(), n.addr(), err)
			}
		}
	}
	for i, n := range nodes[clusterMasters:] {
		if err := join(ctx, n, nodes[i]); err != nil {
			return err
		}
	}
	return nil
}

// join makes a node the replica of a master, which it must know by then.
func join(ctx context.Context, n, master *node) error {
	id, err := master.client.ClusterMyID(ctx).Result()
	if err != nil {
		return fmt.Errorf("asking %s for its id: %w", master.addr(), err)
	}
	err = await(ctx, n.addr()+" to know "+master.addr(), func(ctx context.Context) (string, error) {
		known, err := n.members(ctx)
		if err != nil {
			return "", err
		}
		for _, m := range known {
			if m.id == id && !m.is("handshake") {
				return "", nil
			}
		}
		return "it does not know it", nil
	})
	if err != nil {
		return err
	}
	if err := n.client.ClusterReplicate(ctx, id).Err(); err != nil {
		return fmt.Errorf("making %s a replica of %s: %w", n.addr(), master.addr(), err)
	}
	return nil
}

// member is one node as another one sees it: a line of CLUSTER NODES.
type member struct {
	id, addr string
	flags    []string
	master   string // the id that a replica follows, "-" for a master
	linked   bool
	ranges   []string // "0-5460", "7"; open moves left out
}

func (m member) is(flag string) bool { return slices.Contains(m.flags, flag) }

// owns counts the slots; has says whether one is among them.
func (m member) owns() (count int) {
	for _, r := range m.ranges {
		first, last := span(r)
		count += last - first + 1
	}
	return count
}

func (m member) has(slot int) bool {
	for _, r := range m.ranges {
		if first, last := span(r); first <= slot && slot <= last {
			return true
		}
	}
	return false
}

func span(r string) (first, last int) {
	a, b, two := strings.Cut(r, "-")
	first, _ = strconv.Atoi(a) // the server wrote it
	if !two {
		return first, first
	}
	last, _ = strconv.Atoi(b)
	return first, last
}

// members is the cluster as this node sees it.
func (n *node) members(ctx context.Context) ([]member, error) {
	said, err := n.client.ClusterNodes(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("asking %s about the cluster: %w", n.addr(), err)
	}
	return parseMembers(said)
}

// parseMembers reads lines of id, host:port@bus, flags, master, ping, pong, epoch, link,
// and slots.
func parseMembers(said string) ([]member, error) {
	const fixed = 8
	var found []member
	for line := range strings.Lines(said) {
		f := strings.Fields(line)
		if len(f) < fixed {
			return nil, fmt.Errorf("reading %q: %d fields, want at least %d", line, len(f), fixed)
		}
		addr, _, _ := strings.Cut(f[1], "@")
		m := member{id: f[0], addr: addr, flags: strings.Split(f[2], ","), master: f[3], linked: f[7] == "connected"}
		for _, r := range f[fixed:] {
			if !strings.HasPrefix(r, "[") {
				m.ranges = append(m.ranges, r)
			}
		}
		found = append(found, m)
	}
	return found, nil
}

// amiss demands the same whole picture of every node: all slots served, three masters, each
// with its replica in sync, nobody failing.
func (sharded) amiss(ctx context.Context, nodes []*node) (string, error) {
	for _, n := range nodes {
		info, err := n.client.ClusterInfo(ctx).Result()
		if err != nil {
			return "", fmt.Errorf("asking %s about its cluster: %w", n.addr(), err)
		}
		for _, want := range []string{"cluster_state:ok", "cluster_slots_ok:" + strconv.Itoa(slots), "cluster_known_nodes:" + strconv.Itoa(len(nodes))} {
			if !strings.Contains(info, want+"\r\n") {
				return fmt.Sprintf("%s says %s, not %s", n.addr(), lineOf(info, want), want), nil
			}
		}
		known, err := n.members(ctx)
		if err != nil {
			return "", err
		}
		if amiss := unpaired(known); amiss != "" {
			return n.addr() + " sees that " + amiss, nil
		}
		role, err := n.ask(ctx)
		if err != nil {
			return "", fmt.Errorf("asking %s for its role: %w", n.addr(), err)
		}
		if role == Master {
			if amiss, err := replicated(ctx, n, 1); amiss != "" || err != nil {
				return amiss, err
			}
		}
	}
	return "", nil
}

// lineOf is the line that starts as want does, up to its colon.
func lineOf(info, want string) string {
	key, _, _ := strings.Cut(want, ":")
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, key+":") {
			return strings.TrimSpace(line)
		}
	}
	return "nothing about " + key
}

// unpaired says what is amiss in one node's picture of the cluster.
func unpaired(known []member) string {
	replicas := map[string]int{}
	for _, m := range known {
		if m.is("fail") || m.is("fail?") || m.is("handshake") || m.is("noaddr") || !m.linked {
			return fmt.Sprintf("%s is %s, linked %t", m.addr, strings.Join(m.flags, ","), m.linked)
		}
		if m.is("slave") {
			replicas[m.master]++
		}
	}
	masters := 0
	for _, m := range known {
		if !m.is(Master) {
			continue
		}
		masters++
		if replicas[m.id] != 1 || m.owns() == 0 {
			return fmt.Sprintf("%s has %d replicas and %d slots", m.addr, replicas[m.id], m.owns())
		}
	}
	if masters != clusterMasters {
		return fmt.Sprintf("there are %d masters, not %d", masters, clusterMasters)
	}
	return ""
}

// heir is the master of the seat's slot, once all nodes that are up agree on it.
func (sharded) heir(ctx context.Context, nodes []*node, was seat) (*node, string, error) {
	var heir *node
	for _, n := range nodes {
		if n.down() {
			continue
		}
		info, err := n.client.ClusterInfo(ctx).Result()
		if err != nil {
			return nil, "", fmt.Errorf("asking %s about its cluster: %w", n.addr(), err)
		}
		if !strings.Contains(info, "cluster_state:ok\r\n") {
			return nil, n.addr() + " says " + lineOf(info, "cluster_state:"), nil
		}
		known, err := n.members(ctx)
		if err != nil {
			return nil, "", err
		}
		owner := at(nodes, ownerOf(known, was.slot))
		switch {
		case owner == nil:
			return nil, fmt.Sprintf("%s knows no master of slot %d", n.addr(), was.slot), nil
		case owner == was.master:
			return nil, n.addr() + " still takes " + owner.addr() + " for the master", nil
		case heir != nil && owner != heir:
			return nil, fmt.Sprintf("%s takes %s for the master, others %s", n.addr(), owner.addr(), heir.addr()), nil
		}
		heir = owner
	}
	if heir == nil {
		return nil, "no node is up", nil
	}
	return heir, "", nil
}

// ownerOf is the address of the master of a slot, "" if there is none.
func ownerOf(known []member, slot int) string {
	for _, m := range known {
		if m.is(Master) && m.has(slot) {
			return m.addr
		}
	}
	return ""
}

func at(nodes []*node, addr string) *node {
	for _, n := range nodes {
		if n.addr() == addr {
			return n
		}
	}
	return nil
}

// handOver asks the master's replica to take its place.
func (sharded) handOver(ctx context.Context, nodes []*node, master *node) error {
	replica, err := replicaOf(ctx, nodes, master)
	if err != nil {
		return err
	}
	if err := replica.client.ClusterFailover(ctx).Err(); err != nil {
		return fmt.Errorf("asking %s to take over: %w", replica.addr(), err)
	}
	return nil
}

// owner is the master of the key's slot, as the first node says that is up.
func (sharded) owner(ctx context.Context, nodes []*node, key string) (seat, error) {
	for _, n := range nodes {
		if n.down() {
			continue
		}
		slot, err := n.client.ClusterKeySlot(ctx, key).Result()
		if err != nil {
			return seat{}, fmt.Errorf("asking %s for the slot of %q: %w", n.addr(), key, err)
		}
		known, err := n.members(ctx)
		if err != nil {
			return seat{}, err
		}
		if owner := at(nodes, ownerOf(known, int(slot))); owner != nil {
			return seat{master: owner, slot: int(slot)}, nil
		}
		return seat{}, fmt.Errorf("%s knows no master of slot %d", n.addr(), slot)
	}
	return seat{}, errors.New("no node is up")
}

func (sharded) clients(nodes []*node) []string {
	addrs := make([]string, 0, len(nodes))
	for _, n := range nodes {
		addrs = append(addrs, n.addr())
	}
	return addrs
}
