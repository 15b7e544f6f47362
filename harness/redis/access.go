package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Access is how clients reach a set of servers. It can be stored as JSON and used by
// another process of this user on this machine.
type Access struct {
	// Topology is Standalone, Sentinel or Cluster.
	Topology string `json:"topology"`
	// Addrs are host:port of the server, of the sentinels, or of the cluster's nodes.
	Addrs []string `json:"addrs"`
	// MasterName is what the sentinels call their master; "" elsewhere.
	MasterName string `json:"master_name,omitempty"`
	// Password is for the servers and for the sentinels; "" for none.
	Password string `json:"password,omitempty"`
	// CAFile holds the certificate authority (PEM) of the servers; "" where there is no TLS.
	CAFile string `json:"ca_file,omitempty"`
}

// Plain says that one address is all that a client needs to know: there is nothing to
// discover and no TLS, so that a proxy in between understands what is said.
func (a Access) Plain() bool { return a.Topology == Standalone && a.CAFile == "" }

// reloadEvery is how soon a cluster's client notices that a master has gone. By default it
// asks once a minute, and a refused connection is no reason for it to ask earlier.
const reloadEvery = time.Second

// Client is a plain, a failover or a cluster client, which the caller closes. It does not
// connect before it is used; the error is about CAFile.
func (a Access) Client() (goredis.UniversalClient, error) {
	config, err := clientTLS(a.CAFile)
	if err != nil {
		return nil, err
	}
	opt := &goredis.UniversalOptions{Addrs: a.Addrs, MasterName: a.MasterName, Password: a.Password,
		TLSConfig: config, ContextTimeoutEnabled: true, MaintNotificationsConfig: noMaintenance()}
	switch a.Topology {
	case Cluster:
		cluster := opt.Cluster()
		cluster.ClusterStateReloadInterval = reloadEvery
		return goredis.NewClusterClient(cluster), nil
	case Sentinel:
		opt.SentinelPassword = a.Password
	}
	return goredis.NewUniversalClient(opt), nil
}

// noMaintenance switches off what only hosted servers offer.
func noMaintenance() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// clientTLS trusts exactly the authority in the file; nil for no file.
func clientTLS(caFile string) (*tls.Config, error) {
	if caFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate authority of redis: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("reading the certificate authority of redis: %w", errors.New(caFile+" holds no certificate"))
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: loopback}, nil
}
