package redis

import (
	"context"
	"fmt"
	"net"
)

// confirmMS is how long a master waits for its replicas to confirm that they are in sync.
const confirmMS = 200

// replicated says that this many replicas have all that the master has. "Online" is not
// enough: a replica that has just copied the data set is online before it receives what is
// written after that, and a failover to it would lose what another replica confirmed. WAIT
// counts the replicas that confirm what the master had after the last command of the same
// connection, which PING is.
func replicated(ctx context.Context, master *node, replicas int) (string, error) {
	pipe := master.client.Pipeline()
	pipe.Ping(ctx)
	wait := pipe.Do(ctx, "WAIT", replicas, confirmMS)
	if _, err := pipe.Exec(ctx); err != nil {
		return "", fmt.Errorf("asking %s for its replicas: %w", master.addr(), err)
	}
	n, err := wait.Int()
	if err != nil {
		return "", fmt.Errorf("asking %s for its replicas: %w", master.addr(), err)
	}
	if n != replicas {
		return fmt.Sprintf("%d of %d replicas of %s are in sync", n, replicas, master.addr()), nil
	}
	return "", nil
}

// follows says that a replica has copied its master's data, and is linked to it.
func follows(ctx context.Context, n, master *node) (string, error) {
	info, err := replication(ctx, n)
	if err != nil {
		return "", err
	}
	if to := masterOf(info); to != master.addr() || info["master_link_status"] != "up" || info["master_sync_in_progress"] != "0" {
		return fmt.Sprintf("%s is %s of %s with its link %s, not a replica of %s", n.addr(), info["role"], to,
			info["master_link_status"], master.addr()), nil
	}
	return "", nil
}

// masterOf is the address that a replica follows, "" for a master.
func masterOf(info map[string]string) string {
	if info["role"] != "slave" {
		return ""
	}
	return net.JoinHostPort(info["master_host"], info["master_port"])
}

func replication(ctx context.Context, n *node) (map[string]string, error) {
	said, err := n.client.InfoMap(ctx, "replication").Result()
	if err != nil {
		return nil, fmt.Errorf("asking %s about its replication: %w", n.addr(), err)
	}
	return said["Replication"], nil
}

// replicaOf is the first replica of a master that is up.
func replicaOf(ctx context.Context, nodes []*node, master *node) (*node, error) {
	for _, n := range nodes {
		if n.down() || n.sentinel != nil {
			continue
		}
		info, err := replication(ctx, n)
		if err != nil {
			return nil, err
		}
		if masterOf(info) == master.addr() {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%s has no replica that is up", master.addr())
}
