package redis

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// nothingHere makes sure that no real server can be found: no PATH, an empty cache.
func nothingHere(t *testing.T) Options {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	return Options{CacheDir: t.TempDir()}
}

func TestAutoFallsToTheEmbeddedServerLoudly(t *testing.T) {
	g := NewWithT(t)
	opt, out := nothingHere(t), &bytes.Buffer{}
	opt.Out = out
	s, err := Start(t.Context(), opt)
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(s.Stop(context.Background())).To(Succeed()) }()
	g.Expect(s.Kind).To(Equal(Embedded))
	g.Expect(s.Choice.Part).To(Equal("redis"))
	g.Expect(s.Choice.Reason).To(And(
		ContainSubstring("no real server can be had"),
		ContainSubstring("container: no container daemon answers (docker: not on PATH; podman: not on PATH)"),
		ContainSubstring("process: no redis-server on PATH, in the cache, or from Debian's package")))
	g.Expect(out.String()).To(And(HavePrefix("WARNING: redis is the embedded miniredis"), ContainSubstring("apt-get install redis-server")))
}

func TestForcedKindThatIsImpossibleIsAnErrorWithItsFix(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		kind, reason, fix string
		args              []string
	}{
		"a container without a daemon":              {Container, "no container daemon answers", "--redis=process", nil},
		"a process without a program":               {Process, "no redis-server on PATH", "apt-get install redis-server", nil},
		"an embedded server with arguments":         {Embedded, "takes no arguments such as --maxmemory", "apt-get install", []string{"--maxmemory", "1mb"}},
		"an address where nothing listens":          {nobody, "no usable server at " + nobody, "check the address", nil},
		"a word that is neither kind nor host:port": {"sqlite", "neither a kind nor host:port", "auto, container, process, embedded", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			opt := nothingHere(t)
			opt.Kind, opt.Args = tc.kind, tc.args
			_, err := Start(t.Context(), opt)
			u, ok := errors.AsType[*ErrUnavailable](err)
			if !ok || !strings.Contains(u.Reason, tc.reason) || !strings.Contains(u.Fix, tc.fix) {
				t.Errorf("got %v, want reason %q and fix %q", err, tc.reason, tc.fix)
			}
		})
	}
}

func TestEmbeddedServerKeepsOrLosesItsData(t *testing.T) {
	tests := map[string]struct {
		do   func(ctx context.Context, s *Server) error
		want string
	}{
		"a restart with its data keeps it":     {func(ctx context.Context, s *Server) error { return s.Restart(ctx, true) }, ":5"},
		"a restart without its data loses it":  {func(ctx context.Context, s *Server) error { return s.Restart(ctx, false) }, ":0"},
		"a crash and a restart without data":   {func(ctx context.Context, s *Server) error { return errors.Join(s.Kill(), s.Restart(ctx, false)) }, ":0"},
		"nothing done leaves everything there": {func(context.Context, *Server) error { return nil }, ":5"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g, ctx := NewWithT(t), t.Context()
			s, err := Start(ctx, Options{Kind: Embedded, Password: "secret"})
			g.Expect(err).NotTo(HaveOccurred())
			defer func() { g.Expect(s.Stop(context.Background())).To(Succeed()) }()
			g.Expect(command(ctx, s.Addr, "secret", "SET", "k", "value")).To(Equal("+OK"))
			g.Expect(tc.do(ctx, s)).To(Succeed())
			g.Expect(command(ctx, s.Addr, "secret", "STRLEN", "k")).To(Equal(tc.want))
		})
	}
}

func TestEmbeddedServerExpiresKeysAndEndsWithItsContext(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := Start(ctx, Options{Kind: Embedded})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(command(ctx, s.Addr, "", "SET", "k", "v", "PX", "30")).To(Equal("+OK"))
	g.Eventually(func() (string, error) { return command(ctx, s.Addr, "", "EXISTS", "k") }, "5s", "5ms").Should(Equal(":0"))
	cancel()
	g.Eventually(func() error { return ping(t.Context(), s.Addr, "") }, "5s", "5ms").ShouldNot(Succeed())
	g.Expect(s.Restart(t.Context(), true)).To(MatchError(errEnded))
	g.Expect(s.Stop(t.Context())).To(Succeed())
}

func TestExistingServerIsUsedAndLeftAlone(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	theirs, err := Start(ctx, Options{Kind: Embedded, Password: "secret"})
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(theirs.Stop(context.Background())).To(Succeed()) }()

	_, err = Start(ctx, Options{Kind: theirs.Addr, Password: "wrong"})
	g.Expect(err).To(BeAssignableToTypeOf(&ErrUnavailable{}))
	s, err := Start(ctx, Options{Kind: theirs.Addr, Password: "secret"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.Kind).To(Equal(Existing))
	g.Expect(s.Kill()).To(MatchError(ContainSubstring("is not ours and is not killed")))
	g.Expect(s.Restart(ctx, true)).To(MatchError(ContainSubstring("is not ours and is not restarted")))
	g.Expect(s.Stop(ctx)).To(Succeed())
	g.Expect(ping(ctx, theirs.Addr, "secret")).To(Succeed())
}

// failing is a program that ends as a redis-server with a bad argument does.
const failing = `#!/bin/sh
echo "FATAL CONFIG FILE ERROR: $2"
exit 1
`

func TestServerThatDoesNotStartShowsItsLogAndLeavesNothing(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "redis-server")
	g.Expect(os.WriteFile(path, []byte(failing), 0o755)).To(Succeed())
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	_, err := Start(t.Context(), Options{Kind: Process, Binary: &Binary{Path: path}, Args: []string{"--nonsense"}})
	g.Expect(err).To(MatchError(ContainSubstring("FATAL CONFIG FILE ERROR: --nonsense")))
	left, err := filepath.Glob(filepath.Join(temp, "stormproof-redis-*"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(BeEmpty())
}

func TestConfigSuitsTheVersionAndHidesThePassword(t *testing.T) {
	const common = "bind 127.0.0.1\nport 20001\ndir \"/d\"\nsave \"\"\nappendonly no\ndaemonize no\n"
	tests := map[string]struct{ version, password, want string }{
		"an old server has no switch for DEBUG": {"6.2.14", "", common},
		"a newer one needs it":                  {"7.0.15", "", common + "enable-debug-command local\nset-proc-title no\n"},
		"an unknown version is taken for old":   {"unknown", "", common},
		"a password is quoted byte by byte":     {"6.0", "a\"b\\c\n\xc3", common + `requirepass "a\"b\\c\x0a\xc3"` + "\n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := config(20001, "/d", tc.password, tc.version); got != tc.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tc.want)
			}
		})
	}
}
