package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"
)

func newWatching(t *testing.T, file string) *watching {
	t.Helper()
	n, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &watching{by: map[string][]string{}, notify: n}
	if err := w.know(file); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestASaveIsNoticedHoweverTheEditorSaves(t *testing.T) {
	write := func(path string) error { return os.WriteFile(path, []byte("id: B"), 0o600) }
	for name, save := range map[string]func(path string) error{
		"it writes in place": write,
		"it puts a new file in the old one's place": func(path string) error {
			if err := write(path + "~"); err != nil {
				return err
			}
			return os.Rename(path+"~", path)
		},
		"it removes and writes": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return write(path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "sto-90.yaml")
			if err := os.WriteFile(file, []byte("id: A"), 0o600); err != nil {
				t.Fatal(err)
			}
			w := newWatching(t, file)
			if err := os.WriteFile(filepath.Join(filepath.Dir(file), "other.yaml"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := save(file); err != nil {
				t.Fatal(err)
			}
			got, at, err := w.next(t.Context())
			if err != nil || at.IsZero() {
				t.Errorf("%v, %v", at, err)
			}
			if diff := cmp.Diff([]string{file}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheWatchEndsWithItsContext(t *testing.T) {
	w := newWatching(t, filepath.Join(t.TempDir(), "sto-90.yaml"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if files, _, err := w.next(ctx); files != nil || err != nil {
		t.Errorf("%v, %v", files, err)
	}
}

func TestWatchNeedsFiles(t *testing.T) {
	inFolder(t, soundScenario)
	if got := execute(context.Background(), []string{"run", "--watch"}); got != exitUsage {
		t.Errorf("exit %d, want %d", got, exitUsage)
	}
}
