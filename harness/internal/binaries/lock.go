package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// locked runs do while this process holds the lock file at path; others wait, and say so.
func locked(ctx context.Context, path string, out io.Writer, do func() error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the cache folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("opening the lock: %w", err)
	}
	defer func() { _ = f.Close() }() // only the lock matters, and closing always frees it
	if err := acquire(ctx, f, out); err != nil {
		return err
	}
	return do()
}

func acquire(ctx context.Context, f *os.File, out io.Writer) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for said := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		if !said {
			said = true
			say(out, "waiting for another stormproof that holds %s\n", f.Name())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", f.Name(), ctx.Err())
		case <-tick.C:
		}
	}
}

// stage runs fill on an empty folder beside dir and renames it to dir when fill succeeds.
// Nothing is left behind when it does not, and what a killed process left is removed first.
// The caller holds the lock of dir.
func stage(dir string, fill func(tmp string) error) (err error) {
	tmp := dir + ".partial"
	if err := removeAll(tmp); err != nil {
		return fmt.Errorf("removing what an earlier try left: %w", err)
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return fmt.Errorf("making a folder in the cache: %w", err)
	}
	defer func() { err = errors.Join(err, removeAll(tmp)) }()
	if err := fill(tmp); err != nil {
		return err
	}
	if err := removeAll(dir); err != nil {
		return fmt.Errorf("removing an incomplete entry: %w", err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("moving the result into the cache: %w", err)
	}
	return nil
}

// removeAll also removes folders that were made read-only, as Go's module cache is.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}
