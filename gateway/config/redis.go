package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Sentinel finds the master among replicated servers, in place of redis.addr.
type Sentinel struct {
	// Master is the name that the sentinels have for it.
	Master string `yaml:"master"`
	// Addrs are host:port of the sentinels; one that answers is enough.
	Addrs []string `yaml:"addrs"`
	// Username and Password are for the sentinels, which do not know those of Redis.
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	// PasswordFile is read at start and wins over Password.
	PasswordFile string `yaml:"passwordFile"`
}

// Cluster is a Redis Cluster, in place of redis.addr.
type Cluster struct {
	// Addrs are host:port of some of its nodes; they know the others.
	Addrs []string `yaml:"addrs"`
}

// RedisTLS is how connections to servers and sentinels are encrypted. There is no way to
// leave their certificates unchecked.
type RedisTLS struct {
	Enabled bool `yaml:"enabled"`
	// CAFile holds the authorities (PEM) that are trusted; "" are the system's.
	CAFile string `yaml:"caFile"`
	// CertFile and KeyFile (PEM) are the gateway's own, for servers that ask for one. They
	// are read again for each new connection.
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
	// ServerName is what all certificates must be valid for; "" is the host of each address.
	ServerName string `yaml:"serverName"`
}

// ReadPassword returns what a password file holds, without the end of its last line.
func ReadPassword(path string) (string, error) {
	secret, err := os.ReadFile(path)
	return strings.TrimRight(string(secret), "\r\n"), err
}

func (r *Redis) readPasswords() (err error) {
	if r.PasswordFile != "" {
		if r.Password, err = ReadPassword(r.PasswordFile); err != nil {
			return fmt.Errorf("redis.passwordFile: %w", err)
		}
	}
	if r.Sentinel.PasswordFile != "" {
		if r.Sentinel.Password, err = ReadPassword(r.Sentinel.PasswordFile); err != nil {
			return fmt.Errorf("redis.sentinel.passwordFile: %w", err)
		}
	}
	return nil
}

// servers checks that there is one way to Redis only.
func (r Redis) servers() error {
	var errs []error
	sentinel, cluster := len(r.Sentinel.Addrs) > 0, len(r.Cluster.Addrs) > 0
	switch {
	case sentinel && cluster:
		errs = append(errs, wrong("redis.cluster", "there is redis.sentinel as well: remove one of the two"))
	case (sentinel || cluster) && r.Addr != Defaults().Redis.Addr:
		errs = append(errs, wrong("redis.addr", "%q is one server, and redis.sentinel or redis.cluster has others: remove redis.addr, or those", r.Addr))
	}
	if s := r.Sentinel; sentinel && s.Master == "" {
		errs = append(errs, wrong("redis.sentinel.master", "write the name that the sentinels have for the master, for example mymaster"))
	} else if !sentinel && (s.Master != "" || s.Username != "" || s.Password != "" || s.PasswordFile != "") {
		errs = append(errs, wrong("redis.sentinel.addrs", "name at least one sentinel, for example [sentinel-0:26379]"))
	}
	if cluster && r.DB != 0 {
		errs = append(errs, wrong("redis.db", "%d cannot be had in a cluster, which has database 0 only: remove it", r.DB))
	}
	for field, list := range map[string][]string{"redis.sentinel.addrs": r.Sentinel.Addrs, "redis.cluster.addrs": r.Cluster.Addrs} {
		for i, addr := range list {
			errs = append(errs, address(fmt.Sprintf("%s[%d]", field, i), addr))
		}
	}
	return errors.Join(errs...)
}

// credentials refuses a user without a password: the client would go on as the default user.
func (r Redis) credentials() error {
	var errs []error
	if r.Username != "" && r.Password == "" && r.PasswordFile == "" {
		errs = append(errs, wrong("redis.username", "%q has no password: add redis.passwordFile", r.Username))
	}
	if s := r.Sentinel; s.Username != "" && s.Password == "" && s.PasswordFile == "" {
		errs = append(errs, wrong("redis.sentinel.username", "%q has no password: add redis.sentinel.passwordFile", s.Username))
	}
	return errors.Join(errs...)
}

func (t RedisTLS) validate() error {
	switch {
	case !t.Enabled && t != RedisTLS{}:
		return wrong("redis.tls.enabled", "other fields of redis.tls are set, and connections would not be encrypted: write true, or remove them")
	case t.CertFile != "" && t.KeyFile == "":
		return wrong("redis.tls.keyFile", "redis.tls.certFile has a key: name its file")
	case t.CertFile == "" && t.KeyFile != "":
		return wrong("redis.tls.certFile", "redis.tls.keyFile has a certificate: name its file")
	}
	return nil
}
