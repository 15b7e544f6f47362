package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"
)

// masterName is what our sentinels call their master.
const masterName = "stormproof"

// A sentinel takes a server for dead after downAfterMS, and does not try again within twice
// failoverMS. Lower values would take a busy machine for a dead server.
const (
	downAfterMS = 1000
	failoverMS  = 2000
)

// hurry makes sentinels look at servers and talk to each other more often than once in one,
// two or ten seconds. Two bounds hold in a sentinel: an eligible replica said INFO, which it
// is asked once a second during a failover, within five periods of PING; and a replica that
// calls itself master for four periods of PUBLISH is made a replica again, which must not
// hit the one that is being promoted.
var hurry = []any{"SENTINEL", "DEBUG", "INFO-PERIOD", "250", "PUBLISH-PERIOD", "500", "PING-PERIOD", "300",
	"ASK-PERIOD", "200", "TILT-PERIOD", "1000"}

// watched is one master with its replicas, and the sentinels that watch them.
type watched struct{}

func layoutSentinel(l layout) ([]*node, shape, error) {
	data, err := l.nodes(3, Master)
	if err != nil {
		return data, nil, err
	}
	master := data[0].child
	port := strconv.Itoa(master.port.Number)
	for _, n := range data[1:] {
		n.role = Replica
		n.child.lines = append(n.child.lines, "replicaof "+loopback+" "+port)
	}
	sentinels, err := l.nodes(3, Sentinel)
	nodes := slices.Concat(data, sentinels)
	for _, n := range sentinels {
		n.child.args = []string{"--sentinel"}
		set := func(what string, value any) {
			n.child.lines = append(n.child.lines, fmt.Sprintf("sentinel %s %s %v", what, masterName, value))
		}
		set("monitor", loopback+" "+port+" 2")
		set("down-after-milliseconds", downAfterMS)
		set("failover-timeout", failoverMS)
		set("parallel-syncs", 2)
		if l.password != "" {
			set("auth-pass", l.password)
			n.child.lines = append(n.child.lines, "sentinel sentinel-pass "+l.password)
		}
	}
	return nodes, watched{}, err
}

// split tells data nodes and sentinels that are up.
func split(nodes []*node) (data, sentinels []*node) {
	for _, n := range nodes {
		switch {
		case n.down():
		case n.sentinel != nil:
			sentinels = append(sentinels, n)
		default:
			data = append(data, n)
		}
	}
	return data, sentinels
}

func (watched) form(context.Context, []*node) error { return nil }

func (watched) amiss(ctx context.Context, nodes []*node) (string, error) {
	data, sentinels := split(nodes)
	master, amiss, err := agreed(ctx, nodes, sentinels)
	if amiss != "" || err != nil {
		return amiss, err
	}
	for _, n := range data {
		if n == master {
			continue
		}
		if amiss, err := follows(ctx, n, master); amiss != "" || err != nil {
			return amiss, err
		}
	}
	if amiss, err := replicated(ctx, master, len(data)-1); amiss != "" || err != nil {
		return amiss, err
	}
	for _, s := range sentinels {
		if amiss, err := quorate(ctx, s, len(data)-1, len(sentinels)-1); amiss != "" || err != nil {
			return amiss, err
		}
	}
	return "", nil
}

// agreed is the one master of which all sentinels that are up speak, and that says so itself.
func agreed(ctx context.Context, nodes, sentinels []*node) (*node, string, error) {
	if len(sentinels) == 0 {
		return nil, "no sentinel is up", nil
	}
	var addr string
	for _, s := range sentinels {
		at, err := s.sentinel.GetMasterAddrByName(ctx, masterName).Result()
		if err != nil {
			return nil, "", fmt.Errorf("asking %s for the master: %w", s.addr(), err)
		}
		got := net.JoinHostPort(at[0], at[1])
		if addr != "" && addr != got {
			return nil, fmt.Sprintf("the sentinels name %s and %s as master", addr, got), nil
		}
		addr = got
	}
	for _, n := range nodes {
		if n.addr() != addr {
			continue
		}
		if n.down() {
			return nil, "the sentinels' master " + addr + " is down", nil
		}
		role, err := n.ask(ctx)
		if err != nil {
			return nil, "", fmt.Errorf("asking %s for its role: %w", addr, err)
		}
		if role != Master {
			return nil, "the sentinels' master " + addr + " is a " + role, nil
		}
		return n, "", nil
	}
	return nil, "the sentinels' master " + addr + " is no node of ours", nil
}

// quorate says that a sentinel knows its peers and all replicas, and finds nothing wrong.
func quorate(ctx context.Context, s *node, replicas, others int) (string, error) {
	m, err := s.sentinel.Master(ctx, masterName).Result()
	if err != nil {
		return "", fmt.Errorf("asking %s about the master: %w", s.addr(), err)
	}
	if m["flags"] != Master || m["num-slaves"] != strconv.Itoa(replicas) || m["num-other-sentinels"] != strconv.Itoa(others) {
		return fmt.Sprintf("sentinel %s sees the master as %q with %s replicas and %s other sentinels, not %d and %d",
			s.addr(), m["flags"], m["num-slaves"], m["num-other-sentinels"], replicas, others), nil
	}
	known, err := s.sentinel.Replicas(ctx, masterName).Result()
	if err != nil {
		return "", fmt.Errorf("asking %s about the replicas: %w", s.addr(), err)
	}
	for _, r := range known {
		if r["flags"] != "slave" || r["master-link-status"] != "ok" {
			return fmt.Sprintf("sentinel %s sees the replica %s:%s as %q, link %s", s.addr(), r["ip"], r["port"], r["flags"], r["master-link-status"]), nil
		}
	}
	peers, err := s.sentinel.Sentinels(ctx, masterName).Result()
	if err != nil {
		return "", fmt.Errorf("asking %s about its peers: %w", s.addr(), err)
	}
	for _, p := range peers {
		if p["flags"] != Sentinel {
			return fmt.Sprintf("sentinel %s sees its peer %s:%s as %q", s.addr(), p["ip"], p["port"], p["flags"]), nil
		}
	}
	// An error here is NOQUORUM, which may pass.
	return "", s.sentinel.CkQuorum(ctx, masterName).Err()
}

func (watched) heir(ctx context.Context, nodes []*node, was seat) (*node, string, error) {
	_, sentinels := split(nodes)
	master, amiss, err := agreed(ctx, nodes, sentinels)
	if err == nil && master == was.master {
		return nil, was.master.addr() + " is still the master", nil
	}
	return master, amiss, err
}

func (watched) handOver(ctx context.Context, nodes []*node, _ *node) error {
	_, sentinels := split(nodes)
	if len(sentinels) == 0 {
		return errors.New("no sentinel is up to ask for a failover")
	}
	return await(ctx, "a sentinel that starts a failover", func(ctx context.Context) (string, error) {
		err := sentinels[0].sentinel.Failover(ctx, masterName).Err()
		switch {
		case goredis.HasErrorPrefix(err, "INPROG"):
			return "a failover is in progress already", nil
		case goredis.HasErrorPrefix(err, "NOGOODSLAVE"):
			return "no replica is eligible", nil
		case err != nil:
			return "", errors.Join(errHopeless, err)
		}
		return "", nil
	})
}

func (watched) owner(ctx context.Context, nodes []*node, _ string) (seat, error) {
	_, sentinels := split(nodes)
	master, amiss, err := agreed(ctx, nodes, sentinels)
	if err == nil && master == nil {
		err = errors.New(amiss)
	}
	return seat{master: master}, err
}

func (watched) clients(nodes []*node) []string {
	var addrs []string
	for _, n := range nodes {
		if n.role == Sentinel {
			addrs = append(addrs, n.addr())
		}
	}
	return addrs
}

// hasten tells a sentinel to hurry, which it forgets when it ends; other nodes need no hint.
func (n *node) hasten(ctx context.Context) error {
	if n.sentinel == nil {
		return nil
	}
	cmd := goredis.NewStatusCmd(ctx, hurry...)
	if err := n.sentinel.Process(ctx, cmd); err != nil {
		return fmt.Errorf("telling the sentinel %s to hurry: %w", n.addr(), err)
	}
	return nil
}
