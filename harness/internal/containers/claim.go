package containers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/stormproof/stormproof/harness/internal/binaries"
)

// Claim says that a cluster or a container belongs to a process of the harness. It is a
// file in the cache that the process keeps locked; the lock goes with the process, however
// that ends, and the file stays until the thing is known to be gone.
type Claim struct {
	// Name of the thing, unique for ever.
	Name string

	file *os.File
}

// NewClaim names a new thing "stormproof-<kind>-<random>" and claims it, before it is made.
func NewClaim(cacheDir, kind string) (*Claim, error) {
	dir, err := claims(cacheDir)
	if err != nil {
		return nil, err
	}
	name := "stormproof-" + kind + "-" + strings.ToLower(rand.Text()[:8])
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claiming %s: %w", name, err)
	}
	c := &Claim{Name: name, file: f}
	if err := c.lock(); err != nil {
		return nil, errors.Join(fmt.Errorf("claiming %s: %w", name, err), c.Release())
	}
	return c, nil
}

// Orphans are the claims of one kind whose process has ended. Each is locked by now:
// release it when the thing is gone, Keep it when it could not be removed.
func Orphans(cacheDir, kind string) ([]*Claim, error) {
	dir, err := claims(cacheDir)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "stormproof-"+kind+"-*"))
	if err != nil {
		return nil, fmt.Errorf("looking for what earlier processes left: %w", err)
	}
	var orphans []*Claim
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			continue // released meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("looking for what earlier processes left: %w", err)
		}
		c := &Claim{Name: filepath.Base(path), file: f}
		if c.lock() != nil {
			c.Keep() // its process lives
			continue
		}
		orphans = append(orphans, c)
	}
	return orphans, nil
}

// Release says that the thing is gone.
func (c *Claim) Release() error {
	err := os.Remove(c.file.Name())
	if errors.Is(err, os.ErrNotExist) {
		err = nil // two processes found the same orphan
	}
	return errors.Join(err, c.file.Close())
}

// Keep lets go of the claim and leaves the file, for a later process to try.
func (c *Claim) Keep() { _ = c.file.Close() } // nothing was written; closing frees the lock

func (c *Claim) lock() error {
	return syscall.Flock(int(c.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func claims(cacheDir string) (string, error) {
	if cacheDir == "" {
		var err error
		if cacheDir, err = binaries.DefaultCacheDir(); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(cacheDir, "claims")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of claims: %w", err)
	}
	return dir, nil
}
