package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/stormproof/stormproof/gateway/config"
)

const (
	// clusterReload bounds how old the picture of a cluster gets. The library's own minute is
	// how long alerts of a lost master would go to its address after another one stands in:
	// a refused connection is no reason for it to look again.
	clusterReload = time.Second
	// clusterTries last about two seconds. While a slot moves, a script whose keys are not
	// all in one place is told to try again.
	clusterTries = 8
)

// newRedis returns a client of one server, of the master that sentinels name, or of a
// cluster, which connects when it is used. Errors are about the files of redis.tls.
func newRedis(c config.Redis) (redis.UniversalClient, error) {
	secure, err := redisTLS(c.TLS)
	if err != nil {
		return nil, err
	}
	o := &redis.UniversalOptions{Addrs: []string{c.Addr}, Username: c.Username, Password: c.Password, DB: c.DB, TLSConfig: secure,
		ClientName: c.ClientName, PoolSize: c.PoolSize, DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout,
		ContextTimeoutEnabled: true,
		// Commands are repeated; repeating their dials as well would multiply the two.
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}}
	if c.PasswordFile != "" {
		o.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := config.ReadPassword(c.PasswordFile)
			if err != nil {
				err = fmt.Errorf("redis.passwordFile: %w", err)
			}
			return c.Username, password, err
		}
	}
	client := connect(c, o)
	client.AddHook(advisor{tls: c.TLS.Enabled})
	return client, nil
}

func connect(c config.Redis, o *redis.UniversalOptions) redis.UniversalClient {
	switch {
	case len(c.Cluster.Addrs) > 0:
		o.Addrs, o.MaxRedirects = c.Cluster.Addrs, clusterTries
		cluster := o.Cluster()
		cluster.ClusterStateReloadInterval = clusterReload
		return redis.NewClusterClient(cluster)
	case len(c.Sentinel.Addrs) > 0:
		o.Addrs, o.MasterName = c.Sentinel.Addrs, c.Sentinel.Master
		o.SentinelUsername, o.SentinelPassword = c.Sentinel.Username, c.Sentinel.Password
	}
	return redis.NewUniversalClient(o)
}

// redisTLS is nil where TLS is off.
func redisTLS(c config.RedisTLS) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("redis.tls.caFile: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("redis.tls.caFile: %s holds no certificate: name a file in PEM", c.CAFile)
		}
	}
	if c.CertFile != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("redis.tls.certFile and keyFile: %w", err)
			}
			return &pair, nil
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return out, nil
}

// pingRedis asks every server that holds keys, and whether a cluster holds them all.
func pingRedis(ctx context.Context, client redis.UniversalClient) error {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return client.Ping(ctx).Err()
	}
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		info, err := master.ClusterInfo(ctx).Result()
		if err != nil {
			return fmt.Errorf("master %s: %w", master.Options().Addr, err)
		}
		if !strings.Contains(info, allSlots) {
			return fmt.Errorf("master %s knows of slots that no master serves: see its CLUSTER INFO", master.Options().Addr)
		}
		return nil
	})
	return advise(err, "redis.password")
}

// allSlots is what a node says that knows a healthy master of each slot.
const allSlots = "cluster_slots_ok:16384\r\n"

// setting is an error whose cause is a field of the configuration.
type setting struct {
	field, fix string
	err        error
}

// Error names the field first.
func (s *setting) Error() string { return s.field + ": " + s.fix + ": " + s.err.Error() }

// Unwrap returns the cause.
func (s *setting) Unwrap() error { return s.err }

// advise wraps an error that a changed configuration would end. password is the field whose
// password was given.
func advise(err error, password string) error {
	var (
		known *setting
		host  x509.HostnameError
		cert  *tls.CertificateVerificationError
		op    *net.OpError
	)
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case redis.IsAuthError(err):
		return &setting{password, "Redis refuses the password: set this field, or the file beside it, to what Redis knows", err}
	case redis.IsPermissionError(err):
		return &setting{"redis.username", "this user may not do what the gateway must: give it more rights, or name another user", err}
	case errors.As(err, &host):
		return &setting{"redis.tls.serverName", "set it to a name in the server's certificate", err}
	case errors.As(err, &cert):
		return &setting{"redis.tls.caFile", "it must hold the authority that signed the server's certificate", err}
	case errors.As(err, &op) && op.Op == "remote error": // package tls's for an alert of the other side
		return &setting{"redis.tls.certFile", "the server refuses the gateway's certificate", err}
	}
	return err
}

// advisor puts advice into all errors of a client.
type advisor struct{ tls bool }

// DialHook implements redis.Hook. Servers are given their password after the dial, so one
// that is refused before is that of the sentinels.
func (a advisor) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		var known *setting
		var op *net.OpError
		switch err = advise(err, "redis.sentinel.password"); {
		case err == nil, !a.tls, errors.As(err, &known), errors.As(err, &op) && op.Op == "dial":
			return conn, err
		}
		// It was reached and never answered as a server with TLS does.
		return conn, &setting{"redis.tls.enabled", "write false, or name an address at which the server speaks TLS", err}
	}
}

// ProcessHook implements redis.Hook.
func (advisor) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return advise(next(ctx, cmd), "redis.password") }
}

// ProcessPipelineHook implements redis.Hook.
func (advisor) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return advise(next(ctx, cmds), "redis.password") }
}
