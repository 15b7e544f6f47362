package config_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stormproof/stormproof/gateway/config"
)

// look is what Watch told.
type look struct {
	content string
	failed  bool
}

// watch starts a Watch; the test waits for its looks, and nothing of it is left at the end.
func watch(t *testing.T, path string, again <-chan os.Signal) func() look {
	t.Helper()
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(t.Context())
	looks, done := make(chan look, 100), make(chan error, 1)
	go func() {
		done <- config.Watch(ctx, path, again, func(b []byte, err error) { looks <- look{string(b), err != nil} })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
	})
	return func() look {
		t.Helper()
		select {
		case l := <-looks:
			return l
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was told")
			return look{}
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWatchTellsOfWhateverChangesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gateway.yaml")
	write(t, path, "a")
	again := make(chan os.Signal)
	next := watch(t, path, again)
	want := func(what string, l look) {
		t.Helper()
		if got := next(); got != l {
			t.Fatalf("%s: told %+v, want %+v", what, got, l)
		}
	}
	want("the beginning", look{content: "a"})
	write(t, path, "b")
	want("a write", look{content: "b"})
	write(t, filepath.Join(dir, "new"), "c")
	if err := os.Rename(filepath.Join(dir, "new"), path); err != nil {
		t.Fatal(err)
	}
	want("a rename over it, after a neighbour was written", look{content: "c"})
	again <- os.Interrupt
	want("a signal, though nothing changed", look{content: "c"})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("a file that is gone", look{failed: true})
	write(t, path, "d")
	want("a file that is back", look{content: "d"})
}

// TestWatchFollowsAConfigMap: Kubernetes swaps a link to the folder that holds the file.
func TestWatchFollowsAConfigMap(t *testing.T) {
	dir := t.TempDir()
	swap := func(version, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, version, "gateway.yaml"), text)
		if err := os.Symlink(version, filepath.Join(dir, "tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	swap("..1", "a")
	path := filepath.Join(dir, "gateway.yaml")
	if err := os.Symlink(filepath.Join("..data", "gateway.yaml"), path); err != nil {
		t.Fatal(err)
	}
	next := watch(t, path, nil)
	for i, text := range []string{"a", "b"} {
		if i > 0 {
			swap("..2", text)
		}
		if got := next(); got.content != text {
			t.Errorf("told %+v, want %s", got, text)
		}
	}
}
