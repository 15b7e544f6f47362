package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stormproof/stormproof/harness/report"
)

// Topologies of servers.
const (
	// Standalone is one server.
	Standalone = "standalone"
	// Sentinel is a master with two replicas, and three sentinels that watch them.
	Sentinel = "sentinel"
	// Cluster is three masters that share the slots, each with one replica.
	Cluster = "cluster"
)

// Topologies lists them, the default first.
func Topologies() []string { return []string{Standalone, Sentinel, Cluster} }

// changeTimeout bounds every wait for servers to come together: those of a busy machine take
// their time, those of a broken one should not take ours.
const changeTimeout = 30 * time.Second

// leastMajor has what is used of sentinels and clusters: a bus port of one's choice, and
// sentinels that can be told to hurry.
const leastMajor = 7

// TopologyOptions for StartTopology; the zero value is one server without a password.
type TopologyOptions struct {
	// Topology is one of the above; "" is Standalone.
	Topology string
	// Kind of servers: Process or Auto; "" is Auto. The others cannot form a topology.
	Kind string
	// Password of the servers and of the sentinels; "" for none. Sentinels write it into
	// their configuration as it is, so it is made of letters, digits, "-" and "_".
	Password string
	// TLS makes a certificate authority, and everything that listens speak TLS only: to
	// clients, between master and replicas, between sentinels, on the cluster's bus.
	TLS bool
	// Dir is where the set gets a folder of its own for logs and data; "" for a temporary
	// one that Stop removes.
	Dir string
	// CacheDir, Binary and Out are those of Options.
	CacheDir string
	Binary   *Binary
	Out      io.Writer
}

// Topology is a running set of servers of our own. Its methods may be called concurrently;
// those that change something wait for one another.
type Topology struct {
	Access
	// Binary is what every server runs.
	Binary Binary
	Choice report.Choice

	shape   shape
	nodes   []*node
	dir     string
	ownDir  bool
	changes sync.Mutex
}

// shape is how one kind of topology is formed, looked at and made to fail over. Each method
// asks the servers; amiss is "" or what is not as it should be.
type shape interface {
	// form joins the running servers.
	form(ctx context.Context, nodes []*node) error
	// amiss says what keeps the set from being whole.
	amiss(ctx context.Context, nodes []*node) (string, error)
	// heir is the master that has the seat of another one now, once all agree on it; else nil.
	heir(ctx context.Context, nodes []*node, was seat) (heir *node, amiss string, err error)
	// handOver asks for an orderly failover of a master.
	handOver(ctx context.Context, nodes []*node, master *node) error
	// owner is the master that holds the key.
	owner(ctx context.Context, nodes []*node, key string) (seat, error)
	// clients are the addresses that clients start from.
	clients(nodes []*node) []string
}

// seat is the place of a master, which another one may take: in a cluster, that of a slot.
type seat struct {
	master *node
	slot   int
}

// StartTopology brings up the servers and returns when they form a whole: replicas are in
// sync, sentinels agree, all slots are served. They end with ctx: pass the context of the
// whole run. Errors are *ErrUnavailable where the fix lies with the machine. Where the
// servers did not come together, the error says what was seen last.
func StartTopology(ctx context.Context, opt TopologyOptions) (*Topology, error) {
	if opt.Topology == "" {
		opt.Topology = Standalone
	}
	if opt.Out == nil {
		opt.Out = io.Discard
	}
	if i := strings.IndexFunc(opt.Password, unfit); i >= 0 {
		return nil, fmt.Errorf("starting redis: the password has the character %q: use letters, digits, - and _", opt.Password[i])
	}
	if layouts[opt.Topology] == nil {
		return nil, &ErrUnavailable{What: "redis", Reason: fmt.Sprintf("there is no topology %q", opt.Topology),
			Fix: "use " + strings.Join(Topologies(), ", ")}
	}
	if opt.Kind != "" && opt.Kind != Auto && opt.Kind != Process {
		return nil, &ErrUnavailable{What: "redis", Reason: fmt.Sprintf("the topology %s is made of redis-server processes, and --redis=%s was asked for",
			opt.Topology, opt.Kind), Fix: "use --redis=process, or --redis-topology=standalone"}
	}
	binary, reason, err := choose(ctx, Options{Binary: opt.Binary, CacheDir: opt.CacheDir, Out: opt.Out})
	if err != nil {
		return nil, err
	}
	if opt.Topology != Standalone && major(binary.Version) < leastMajor {
		return nil, &ErrUnavailable{What: "redis", Reason: fmt.Sprintf("the topology %s needs version %d or later, and %s is %s",
			opt.Topology, leastMajor, binary.Path, binary.Version), Fix: "install a newer Redis, or use --redis-topology=standalone"}
	}
	t := &Topology{Binary: binary, Access: Access{Topology: opt.Topology, Password: opt.Password},
		Choice: report.Choice{Part: "redis", Chosen: opt.Topology + " (redis-server " + binary.Version + ")", Reason: reason}}
	if err := t.start(ctx, opt); err != nil {
		return nil, errors.Join(fmt.Errorf("starting redis: %w", err), t.Stop(context.WithoutCancel(ctx)))
	}
	return t, nil
}

// unfit characters of a password are read or written wrongly by a sentinel's configuration.
func unfit(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", r)
}

func (t *Topology) start(ctx context.Context, opt TopologyOptions) error {
	if err := t.open(opt.Dir); err != nil {
		return err
	}
	var certs *keyFiles
	if opt.TLS {
		made, err := makeCertificates(t.dir, time.Now())
		if err != nil {
			return err
		}
		certs, t.CAFile = &made, made.ca
	}
	if err := t.plan(certs); err != nil {
		return err
	}
	t.Addrs = t.shape.clients(t.nodes)
	if err := t.launch(ctx); err != nil {
		return err
	}
	if err := t.shape.form(ctx, t.nodes); err != nil {
		return err
	}
	return t.WaitHealthy(ctx)
}

func (t *Topology) open(parent string) (err error) {
	if parent != "" {
		if err := os.MkdirAll(parent, 0o700); err != nil {
			return err
		}
	}
	t.ownDir = parent == ""
	t.dir, err = os.MkdirTemp(parent, "stormproof-redis-"+t.Topology+"-")
	if err == nil {
		t.dir, err = filepath.Abs(t.dir)
	}
	return err
}

// plan makes the nodes, each with its ports and its configuration.
func (t *Topology) plan(certs *keyFiles) error {
	var err error
	t.nodes, t.shape, err = layouts[t.Topology](layout{binary: t.Binary, password: t.Password, certs: certs, dir: t.dir})
	if err != nil {
		return err
	}
	if t.Topology == Sentinel {
		t.MasterName = masterName
	}
	config, err := clientTLS(t.CAFile)
	if err != nil {
		return err
	}
	for _, n := range t.nodes {
		n.connect(config)
	}
	return nil
}

// launch starts every server at once.
func (t *Topology) launch(ctx context.Context) error {
	errs := make([]error, len(t.nodes))
	var all sync.WaitGroup
	for i, n := range t.nodes {
		all.Go(func() {
			if errs[i] = n.child.run(ctx, t.dir); errs[i] == nil {
				errs[i] = n.hasten(ctx)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Nodes are the servers with their roles as they say themselves; one that is down has the
// role that it had last.
func (t *Topology) Nodes(ctx context.Context) []Node {
	found := make([]Node, len(t.nodes))
	var all sync.WaitGroup
	for i, n := range t.nodes {
		all.Go(func() { found[i] = n.look(ctx) })
	}
	all.Wait()
	return found
}

// WaitHealthy returns when the set is whole: every server is up, replicas are in sync, all
// agree. The error says what was seen last, how often and for how long.
func (t *Topology) WaitHealthy(ctx context.Context) error {
	return await(ctx, "a healthy "+t.Topology, func(ctx context.Context) (string, error) {
		for _, n := range t.nodes {
			if n.ended() {
				return "", fmt.Errorf("%w: %s ended: %s", errHopeless, n.addr(), n.child.said())
			}
			if n.down() {
				return n.addr() + " is down", nil
			}
		}
		return t.shape.amiss(ctx, t.nodes)
	})
}

// Stop ends every server and removes what was made, the folder of a given Dir excepted.
// Whatever could not be ended or removed is an error. A second call does nothing.
func (t *Topology) Stop(ctx context.Context) error {
	t.changes.Lock()
	defer t.changes.Unlock()
	errs := make([]error, len(t.nodes))
	var all sync.WaitGroup
	for i, n := range t.nodes {
		all.Go(func() { errs[i] = n.stop(ctx) })
	}
	all.Wait()
	t.nodes = nil
	if t.ownDir && t.dir != "" {
		errs = append(errs, os.RemoveAll(t.dir))
	}
	return errors.Join(errs...)
}
