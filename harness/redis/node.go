package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/harness/internal/process"
)

// Roles of nodes.
const (
	Master  = "master"
	Replica = "replica"
	// Sentinel is also a role.
)

// Node is one server as it was seen at one moment.
type Node struct {
	// Role is Master, Replica or Sentinel.
	Role string `json:"role"`
	// Addr is host:port.
	Addr string `json:"addr"`
	// Up says that it answers.
	Up bool `json:"up"`
	// Errors counts its error answers since it was started, by first word: "MOVED".
	Errors map[string]int64 `json:"errors,omitempty"`
}

// node is one server of a topology.
type node struct {
	child    *child
	bus      *process.Port // of a cluster's node, else nil
	client   *goredis.Client
	sentinel *goredis.SentinelClient // of a sentinel, else nil

	mu   sync.Mutex
	role string
	off  bool // ended by us
}

// connect makes the clients; they dial when they are used.
func (n *node) connect(config *tls.Config) {
	n.child.peer.tls = config
	opt := &goredis.Options{Addr: n.addr(), Password: n.child.peer.password, TLSConfig: config,
		// One retry, because a change of roles cuts the connections that wait in the pool.
		MaxRetries: 1, MinRetryBackoff: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: 2 * time.Second,
		ContextTimeoutEnabled: true, DisableIdentity: true, PoolSize: 4, MaintNotificationsConfig: noMaintenance()}
	if n.role == Sentinel {
		n.sentinel = goredis.NewSentinelClient(opt)
		return
	}
	n.client = goredis.NewClient(opt)
}

func (n *node) addr() string { return n.child.peer.addr }

// look asks the server for its role.
func (n *node) look(ctx context.Context) Node {
	up := !n.down()
	var said map[string]int64
	if up {
		if role, err := n.ask(ctx); err == nil {
			n.remember(role)
			said = n.errors(ctx)
		} else {
			up = false
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return Node{Role: n.role, Addr: n.addr(), Up: up, Errors: said}
}

// errors are the server's own counts, nil where it does not tell any.
func (n *node) errors(ctx context.Context) (counts map[string]int64) {
	if n.client == nil {
		return nil
	}
	info, _ := n.client.Info(ctx, "errorstats").Result() // a receipt that is missing counts as none
	for line := range strings.Lines(info) {
		word, count, found := strings.Cut(strings.TrimSpace(line), ":count=")
		if word, is := strings.CutPrefix(word, "errorstat_"); found && is {
			if counts == nil {
				counts = map[string]int64{}
			}
			counts[word], _ = strconv.ParseInt(count, 10, 64)
		}
	}
	return counts
}

func (n *node) ask(ctx context.Context) (string, error) {
	if n.sentinel != nil {
		return Sentinel, n.sentinel.Ping(ctx).Err()
	}
	said, err := n.client.Do(ctx, "ROLE").Slice()
	if err != nil {
		return "", err
	}
	if len(said) > 0 && said[0] == Master {
		return Master, nil
	}
	return Replica, nil
}

func (n *node) remember(role string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.role = role
}

// down says that no process runs.
func (n *node) down() bool {
	proc := n.child.running()
	if proc == nil {
		return true
	}
	select {
	case <-proc.Done():
		return true
	default:
		return false
	}
}

// ended says that the process is gone and that it was not us.
func (n *node) ended() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.off && n.down()
}

func (n *node) setOff(off bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.off = off
}

// end ends the server: at once, as a crash would, or after it has saved its data.
func (n *node) end(ctx context.Context, save bool) error {
	n.look(ctx) // so that its last role is known
	n.setOff(true)
	if save {
		if err := n.child.end(ctx, true); err != nil {
			return fmt.Errorf("stopping %s: %w", n.addr(), err)
		}
		return nil
	}
	return n.child.kill()
}

// begin starts the server again.
func (n *node) begin(ctx context.Context, keepData bool) error {
	if err := n.child.restart(ctx, keepData); err != nil {
		return fmt.Errorf("starting %s: %w", n.addr(), err)
	}
	n.setOff(false)
	return n.hasten(ctx)
}

func (n *node) stop(ctx context.Context) error {
	n.setOff(true)
	var errs []error
	if n.client != nil {
		errs = append(errs, n.client.Close())
	}
	if n.sentinel != nil {
		errs = append(errs, n.sentinel.Close())
	}
	errs = append(errs, n.child.stop(ctx))
	if n.bus != nil {
		n.bus.Release()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping %s: %w", n.addr(), err)
	}
	return nil
}
