package gateway_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/stormproof/stormproof/gateway"
	"github.com/stormproof/stormproof/gateway/config"
)

// saysOfRedis starts a gateway and returns what its readiness says of Redis.
func saysOfRedis(t *testing.T, edit func(*config.Redis)) func() string {
	t.Helper()
	o := lonely()
	o.Config.Redis.Timeout = time.Second
	edit(&o.Config.Redis)
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func() string {
		t.Helper()
		var said struct {
			Dependencies map[string]string `json:"dependencies"`
		}
		if err := json.Unmarshal([]byte(ask(t, "http://"+g.Addr()+"/readyz", "").body), &said); err != nil {
			t.Fatal(err)
		}
		return said.Dependencies["redis"]
	}
}

// secured is a Redis that speaks TLS with a certificate for 127.0.0.1, and the file of the
// authority that signed it.
func secured(t *testing.T, clients tls.ClientAuthType) (server *miniredis.Miniredis, caFile string) {
	t.Helper()
	lender := httptest.NewUnstartedServer(http.NotFoundHandler())
	lender.StartTLS()
	lender.Close()
	server, err := miniredis.RunTLS(&tls.Config{Certificates: lender.TLS.Certificates, ClientAuth: clients, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lender.Certificate().Raw})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return server, caFile
}

func TestReadinessNamesTheFieldOfTheConfigurationThatKeepsItFromRedis(t *testing.T) {
	noLeaks(t)
	open, locked := miniredis.RunT(t), miniredis.RunT(t)
	locked.RequireAuth("right")
	safe, ca := secured(t, tls.NoClientCert)
	strict, strictCA := secured(t, tls.RequireAnyClientCert)
	for name, tc := range map[string]struct {
		edit func(*config.Redis)
		want string
	}{
		"the right password":     {func(r *config.Redis) { r.Addr, r.Password = locked.Addr(), "right" }, "ok"},
		"a wrong password":       {func(r *config.Redis) { r.Addr, r.Password = locked.Addr(), "wrong" }, "redis.password: "},
		"no password":            {func(r *config.Redis) { r.Addr = locked.Addr() }, "redis.password: "},
		"a user that is unknown": {func(r *config.Redis) { r.Addr, r.Username, r.Password = locked.Addr(), "nobody", "right" }, "redis.password: "},
		"a sentinel's wrong password": {func(r *config.Redis) {
			r.Addr, r.Sentinel = config.Defaults().Redis.Addr, config.Sentinel{Master: "m", Addrs: []string{locked.Addr()}, Password: "wrong"}
		}, "redis.sentinel.password: "},
		"a cluster's wrong password": {func(r *config.Redis) {
			r.Addr, r.Cluster.Addrs, r.Password = config.Defaults().Redis.Addr, []string{locked.Addr()}, "wrong"
		}, "redis.password: "},
		"TLS":                  {func(r *config.Redis) { r.Addr, r.TLS = safe.Addr(), config.RedisTLS{Enabled: true, CAFile: ca} }, "ok"},
		"an unknown authority": {func(r *config.Redis) { r.Addr, r.TLS = safe.Addr(), config.RedisTLS{Enabled: true} }, "redis.tls.caFile: "},
		"another server's name": {func(r *config.Redis) {
			r.Addr, r.TLS = safe.Addr(), config.RedisTLS{Enabled: true, CAFile: ca, ServerName: "elsewhere.test"}
		}, "redis.tls.serverName: "},
		"a server without TLS":      {func(r *config.Redis) { r.Addr, r.TLS = open.Addr(), config.RedisTLS{Enabled: true, CAFile: ca} }, "redis.tls.enabled: "},
		"no certificate of its own": {func(r *config.Redis) { r.Addr, r.TLS = strict.Addr(), config.RedisTLS{Enabled: true, CAFile: strictCA} }, "redis.tls.certFile: "},
	} {
		t.Run(name, func(t *testing.T) {
			if got := saysOfRedis(t, tc.edit)(); !strings.HasPrefix(got, tc.want) {
				t.Errorf("readiness says %q of Redis, want %q", got, tc.want)
			}
		})
	}
}

func TestAPasswordFileThatChangesIsReadForTheNextConnection(t *testing.T) {
	noLeaks(t)
	server := miniredis.RunT(t)
	server.RequireAuth("old")
	path := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	says := saysOfRedis(t, func(r *config.Redis) { r.Addr, r.PasswordFile = server.Addr(), path })
	if got := says(); got != "ok" {
		t.Fatal(got)
	}
	// A restart ends the connections that were let in with the old one.
	server.Close()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	server.RequireAuth("new")
	if got := says(); !strings.HasPrefix(got, "redis.password: ") {
		t.Errorf("the old password is still good: %q", got)
	}
	write("new")
	if got := says(); got != "ok" {
		t.Errorf("after the file changed: %q", got)
	}
}

func TestFilesOfTLSThatCannotBeUsedEndTheStart(t *testing.T) {
	noLeaks(t)
	junk := filepath.Join(t.TempDir(), "junk.pem")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]config.RedisTLS{
		"redis.tls.caFile: open":                {Enabled: true, CAFile: "no/such/file"},
		"redis.tls.caFile: " + junk:             {Enabled: true, CAFile: junk},
		"redis.tls.certFile and keyFile: tls: ": {Enabled: true, CertFile: junk, KeyFile: junk},
	} {
		o := lonely()
		o.Config.Redis.TLS = c
		if _, err := gateway.New(o); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s...", err, want)
		}
	}
}
