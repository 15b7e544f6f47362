package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/gateway/config"
)

func TestOneWayToRedisIsTakenAndContradictionsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		yaml string
		want []string // none: it is accepted
	}{
		"sentinels":                            {"redis: {sentinel: {master: m, addrs: ['a:1', 'b:1'], password: x}, db: 3}", nil},
		"a cluster":                            {"redis: {cluster: {addrs: ['a:1']}}", nil},
		"TLS by the system's authorities":      {"redis: {tls: {enabled: true}}", nil},
		"a user with a password":               {"redis: {username: u, password: p}", nil},
		"sentinels and a cluster":              {"redis: {sentinel: {master: m, addrs: ['a:1']}, cluster: {addrs: ['b:1']}}", []string{"redis.cluster", "remove one"}},
		"one server and sentinels":             {"redis: {addr: 'r:1', sentinel: {master: m, addrs: ['a:1']}}", []string{"g:1:15: redis.addr", "remove redis.addr"}},
		"one server and a cluster":             {"redis: {addr: 'r:1', cluster: {addrs: ['a:1']}}", []string{"redis.addr"}},
		"sentinels without a master's name":    {"redis: {sentinel: {addrs: ['a:1']}}", []string{"redis.sentinel.master", "mymaster"}},
		"a master without sentinels":           {"redis: {sentinel: {master: m}}", []string{"redis.sentinel.addrs", "sentinel-0:26379"}},
		"a password without sentinels":         {"redis: {sentinel: {password: p}}", []string{"redis.sentinel.addrs"}},
		"a sentinel without a port":            {"redis: {sentinel: {master: m, addrs: ['a:1', b]}}", []string{"redis.sentinel.addrs[1]", "host:port"}},
		"a node without a port":                {"redis: {cluster: {addrs: [b]}}", []string{"redis.cluster.addrs[0]", "host:port"}},
		"a database in a cluster":              {"redis: {db: 1, cluster: {addrs: ['a:1']}}", []string{"redis.db", "remove it"}},
		"a user without a password":            {"redis: {username: u}", []string{"redis.username", "redis.passwordFile"}},
		"a sentinel's user without one":        {"redis: {sentinel: {master: m, addrs: ['a:1'], username: u}}", []string{"redis.sentinel.username"}},
		"an authority, and TLS is off":         {"redis: {tls: {caFile: ca.pem}}", []string{"redis.tls.enabled", "write true"}},
		"a certificate without its key":        {"redis: {tls: {enabled: true, certFile: c.pem}}", []string{"redis.tls.keyFile"}},
		"a key without its certificate":        {"redis: {tls: {enabled: true, keyFile: k.pem}}", []string{"redis.tls.certFile"}},
		"a sentinel's password file not there": {"redis: {sentinel: {master: m, addrs: ['a:1'], passwordFile: no/such}}", []string{"redis.sentinel.passwordFile"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Decode([]byte(tc.yaml), "g")
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestAPasswordOfTheSentinelsIsReadFromItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Decode([]byte("redis: {sentinel: {master: m, addrs: ['a:1'], passwordFile: "+path+"}}"), "g")
	if err != nil || c.Redis.Sentinel.Password != "hush" || c.Redis.Password != "" {
		t.Errorf("got %+v, %v", c.Redis, err)
	}
}
