package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	. "github.com/onsi/gomega"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"go.uber.org/goleak"
)

// standInEnv makes the test binary play redis-server: enough of it to be started, asked to
// save and end, and started again.
const standInEnv = "STORMPROOF_REDIS_TEST_STAND_IN"

func TestMain(m *testing.M) {
	if os.Getenv(standInEnv) != "" {
		if err := standIn(os.Args[1]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goredis.SetLogger(&logging.VoidLogger{}) // clients of servers that are ended say so
	goleak.VerifyTestMain(m)
}

func standIn(conf string) error {
	raw, err := os.ReadFile(conf)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if text, err := strconv.Unquote(value); err == nil {
			value = text
		}
		settings[key] = value
	}
	m, dump := miniredis.NewMiniRedis(), filepath.Join(settings["dir"], "dump.rdb")
	if saved, err := os.ReadFile(dump); err == nil {
		if err := m.Set("k", string(saved)); err != nil {
			return err
		}
	}
	if settings["requirepass"] != "" {
		m.RequireAuth(settings["requirepass"])
	}
	if err := m.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	shutdown := func(_ *server.Peer, _ string, args []string) {
		value, err := m.Get("k")
		if err == nil && len(args) == 1 && args[0] == "SAVE" {
			err = os.WriteFile(dump, []byte(value), 0o600)
		}
		ended <- err
	}
	if err := m.Server().Register("SHUTDOWN", shutdown); err != nil {
		return err
	}
	// miniredis accepts connections before it knows its commands, which no real server does:
	// its clients get through only from here on.
	l, err := net.Listen("tcp", "127.0.0.1:"+settings["port"])
	if err != nil {
		return err
	}
	go forward(l, m.Addr())
	return <-ended
}

// forward joins each client with the server; it ends with the process.
func forward(l net.Listener, addr string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		upstream, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		join := func(to, from net.Conn) {
			_, _ = io.Copy(to, from) // a client that goes away is no error
			_ = to.Close()
		}
		go join(upstream, client)
		go join(client, upstream)
	}
}

// startStandIn starts the stand-in as Start would start a real server.
func startStandIn(ctx context.Context, t *testing.T, dir string) *Server {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(standInEnv, "1")
	s, err := Start(ctx, Options{Kind: Process, Binary: &Binary{Path: exe, Version: "7.0.15"}, Password: "se cret", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestServerProcessKeepsOrLosesItsData(t *testing.T) {
	tests := map[string]struct {
		do   func(ctx context.Context, s *Server) error
		want string
	}{
		"a restart with its data keeps it":    {func(ctx context.Context, s *Server) error { return s.Restart(ctx, true) }, ":5"},
		"a restart without its data loses it": {func(ctx context.Context, s *Server) error { return s.Restart(ctx, false) }, ":0"},
		"a crash loses what was not saved":    {func(ctx context.Context, s *Server) error { return errors.Join(s.Kill(), s.Restart(ctx, true)) }, ":0"},
		"a restart without data forgets older saves": {func(ctx context.Context, s *Server) error {
			return errors.Join(s.Restart(ctx, true), s.Restart(ctx, false))
		}, ":0"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g, ctx := NewWithT(t), t.Context()
			s := startStandIn(ctx, t, t.TempDir())
			g.Expect(command(ctx, s.Addr, "se cret", "SET", "k", "value")).To(Equal("+OK"))
			g.Expect(tc.do(ctx, s)).To(Succeed())
			g.Expect(command(ctx, s.Addr, "se cret", "STRLEN", "k")).To(Equal(tc.want))
		})
	}
}

func TestServerProcessEndsWithItsContextAlsoAfterARestart(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := startStandIn(ctx, t, t.TempDir())
	g.Expect(s.Restart(t.Context(), false)).To(Succeed())
	cancel()
	g.Eventually(func() error { return ping(t.Context(), s.Addr, s.Password) }, "5s", "5ms").ShouldNot(Succeed())
	g.Expect(s.Restart(t.Context(), false)).To(MatchError(errEnded))
}

func TestServerProcessKeepsItsPasswordToItself(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	s := startStandIn(t.Context(), t, dir)
	g.Expect(ping(t.Context(), s.Addr, "wrong")).NotTo(Succeed())
	files, err := filepath.Glob(filepath.Join(dir, "redis-*", "redis.conf"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).To(HaveLen(1))
	info, err := os.Stat(files[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
}

func TestTwoServersNeverShareAnAddress(t *testing.T) {
	a, b := startStandIn(t.Context(), t, t.TempDir()), startStandIn(t.Context(), t, t.TempDir())
	if a.Addr == b.Addr {
		t.Errorf("both listen at %s", a.Addr)
	}
}
