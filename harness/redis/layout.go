package redis

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"

	"github.com/stormproof/stormproof/harness/internal/process"
)

// layouts make the nodes of each topology, in the order in which they are picked.
var layouts = map[string]func(layout) ([]*node, shape, error){
	Standalone: func(l layout) ([]*node, shape, error) {
		nodes, err := l.nodes(1, Master)
		return nodes, standalone{}, err
	},
	Sentinel: layoutSentinel,
	Cluster:  layoutCluster,
}

// layout is what the nodes of one set share.
type layout struct {
	binary   Binary
	password string
	certs    *keyFiles // nil without TLS
	dir      string
}

// nodes reserves the ports of count nodes of one role.
func (l layout) nodes(count int, role string) ([]*node, error) {
	made := make([]*node, 0, count)
	for range count {
		c, err := newChild(l.binary, l.password)
		if err != nil {
			return made, err
		}
		n := &node{child: c, role: role}
		if l.certs != nil {
			c.lines = append(c.lines, l.certs.lines(strconv.Itoa(c.port.Number))...)
		}
		if role != Sentinel && l.password != "" {
			c.lines = append(c.lines, "masterauth "+quote(l.password))
		}
		// Replicas need not wait for others that want the same copy, nor long for a dead link.
		c.lines = append(c.lines, "repl-diskless-sync-delay 0", "repl-ping-replica-period 1")
		made = append(made, n)
	}
	return made, nil
}

// giveBus reserves a port for the cluster's bus, which would else be 10000 higher, among
// the ports of outgoing connections.
func (l layout) giveBus(n *node) error {
	port, err := process.ReservePort()
	if err != nil {
		return err
	}
	n.bus = port
	// Beside the data, which a restart may remove: who its peers are is not data.
	file := filepath.Join(l.dir, "nodes-"+strconv.Itoa(n.child.port.Number)+".conf")
	n.child.lines = append(n.child.lines, "cluster-port "+strconv.Itoa(port.Number), "cluster-config-file "+quote(file))
	return nil
}

// errNoFailover is what a single server answers.
var errNoFailover = errors.New("a standalone server has nothing to fail over to: use the topology sentinel or cluster")

// standalone is one server.
type standalone struct{}

func (standalone) form(context.Context, []*node) error { return nil }

func (standalone) amiss(ctx context.Context, nodes []*node) (string, error) {
	_, err := nodes[0].ask(ctx)
	return "", err
}

func (standalone) heir(context.Context, []*node, seat) (*node, string, error) {
	return nil, "", errors.Join(errHopeless, errNoFailover)
}

func (standalone) handOver(context.Context, []*node, *node) error { return errNoFailover }

func (standalone) owner(_ context.Context, nodes []*node, _ string) (seat, error) {
	return seat{master: nodes[0]}, nil
}

func (standalone) clients(nodes []*node) []string { return []string{nodes[0].addr()} }
