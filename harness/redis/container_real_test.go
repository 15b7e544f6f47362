//go:build containers

package redis

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/internal/containers"
)

// These tests need a container daemon and an image of Redis, and fail without: make
// test-containers.

func startReal(t *testing.T, opt Options) *Server {
	t.Helper()
	opt.Kind, opt.CacheDir, opt.Out = Container, t.TempDir(), t.Output()
	began := time.Now()
	s, err := Start(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up in %s: %s because %s", time.Since(began).Round(time.Millisecond), s.Choice.Chosen, s.Choice.Reason)
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if left := containersOf(t, s); left != "" {
			t.Errorf("the container %s is still there", left)
		}
	})
	return s
}

func containersOf(t *testing.T, s *Server) string {
	t.Helper()
	c := s.engine.(*contained)
	said, err := c.daemon.Ask(context.WithoutCancel(t.Context()), "ps", "-aq", "--filter", "label="+claimLabel+"="+c.claim.Name)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// ask runs one command and expects an answer.
func ask(t *testing.T, s *Server, want string, args ...string) {
	t.Helper()
	got, err := command(t.Context(), s.Addr, s.Password, args...)
	if err != nil || got != want {
		t.Errorf("%s: got %q, %v; want %q", strings.Join(args, " "), got, err, want)
	}
}

func TestContainersOfRedisKeepOrLoseTheirData(t *testing.T) {
	s := startReal(t, Options{Password: "se cret", Args: []string{"--maxmemory", "10mb"}, Dir: t.TempDir()})
	ask(t, s, "+OK", "SET", "k", "v")
	ask(t, s, "+OK", "DEBUG", "SET-ACTIVE-EXPIRE", "1")
	if err := s.Restart(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	ask(t, s, ":1", "EXISTS", "k")
	if err := errors.Join(s.Kill()); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t.Context(), s.Addr, s.Password, "PING"); err == nil {
		t.Error("a server that was killed answers")
	}
	if err := s.Restart(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	ask(t, s, ":1", "EXISTS", "k") // from the save before
	if err := s.Restart(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	ask(t, s, ":0", "EXISTS", "k")
}

func TestContainersOfRedisWithoutAPasswordLeaveALog(t *testing.T) {
	dir := t.TempDir()
	s := startReal(t, Options{Dir: dir})
	ask(t, s, "+PONG", "PING")
	if err := s.engine.(*contained).remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("got the logs %v, %v", logs, err)
	}
	text, err := os.ReadFile(logs[0])
	if err != nil || !strings.Contains(string(text), "Ready to accept connections") {
		t.Errorf("got %v: %s", err, text)
	}
}

func TestContainersOfRedisSayWhyTheyDoNotStart(t *testing.T) {
	_, err := Start(t.Context(), Options{Kind: Container, CacheDir: t.TempDir(), Args: []string{"--no-such-setting", "1"}})
	u, ok := errors.AsType[*ErrUnavailable](err)
	if !ok || u.Fix == "" || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("got %v", err)
	}
}

func TestContainersOfAKilledRunAreSwept(t *testing.T) {
	cache := t.TempDir()
	d, image, _, err := findImage(t.Context(), Options{Kind: Container})
	if err != nil {
		t.Fatal(err)
	}
	claim, err := containers.NewClaim(cache, "redis")
	if err != nil {
		t.Fatal(err)
	}
	create := func(name string) string {
		id, err := d.Ask(t.Context(), "create", "--label", claimLabel+"="+name, image)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	orphan, foreign := create(claim.Name), create(claim.Name+"x")
	t.Cleanup(func() { _, _ = d.Ask(context.WithoutCancel(t.Context()), "rm", "-fv", foreign) })
	claim.Keep() // as if the process had died
	if err := sweep(t.Context(), d, Options{CacheDir: cache, Out: t.Output()}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Ask(t.Context(), "inspect", orphan); err == nil {
		t.Error("the orphan was left")
	}
	if _, err := d.Ask(t.Context(), "inspect", foreign); err != nil {
		t.Errorf("a container of somebody else was removed: %v", err)
	}
}
