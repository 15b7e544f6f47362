package redis

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/binaries"
)

const program = "redis-server"

// finder holds the ways to a program, so that the ladder can be tested without them.
type finder struct {
	path    func() (string, error)
	cached  func() (binaries.Unpacked, bool, error)
	debian  func(ctx context.Context) (binaries.Unpacked, error)
	version func(ctx context.Context, b Binary) (string, error)
}

func newFinder(opt Options) finder {
	return finder{
		path:   func() (string, error) { return exec.LookPath(program) },
		cached: func() (binaries.Unpacked, bool, error) { return binaries.DebianCached(opt.CacheDir, program, program) },
		debian: func(ctx context.Context) (binaries.Unpacked, error) {
			return binaries.Debian(ctx, opt.CacheDir, program, program, opt.Out)
		},
		version: version,
	}
}

// Find returns the redis-server program that Start would run, why, and whether it had to be
// searched beyond PATH. It may download Debian's package into the cache.
func Find(ctx context.Context, opt Options) (Binary, string, error) {
	return newFinder(opt).find(ctx)
}

// find climbs the ladder: each rung also proves that its program runs here, because one
// whose libraries have gone is no server.
func (f finder) find(ctx context.Context) (Binary, string, error) {
	rung := func(name, reason string, get func(ctx context.Context) (Binary, error)) binaries.Rung[Binary] {
		return binaries.Rung[Binary]{Name: name, Try: func(ctx context.Context) (Binary, string, error) {
			b, err := get(ctx)
			if err != nil {
				return Binary{}, "", err
			}
			if b.Version, err = f.version(ctx, b); err != nil {
				return Binary{}, "", fmt.Errorf("%s does not run here: %w", b.Path, err)
			}
			return b, reason, nil
		}}
	}
	catch, err := binaries.Climb(ctx, []binaries.Rung[Binary]{
		rung("PATH", "redis-server is on PATH", f.fromPath),
		rung("cache", "Debian's package is in the cache", f.fromCache),
		rung("package", "Debian's package was unpacked into the cache", f.fromDebian),
	}, nil)
	if err != nil {
		return Binary{}, "", err
	}
	return catch.Got, catch.Why(), nil
}

func (f finder) fromPath(context.Context) (Binary, error) {
	path, err := f.path()
	if err != nil {
		return Binary{}, &ErrUnavailable{What: "redis", Reason: "no redis-server", Fix: installHint, Err: err}
	}
	return Binary{Path: path}, nil
}

func (f finder) fromCache(context.Context) (Binary, error) {
	got, ok, err := f.cached()
	if err == nil && !ok {
		err = &ErrUnavailable{What: "redis", Reason: "empty", Fix: installHint}
	}
	return Binary{Path: got.Program, LibPath: got.LibPath}, err
}

func (f finder) fromDebian(ctx context.Context) (Binary, error) {
	got, err := f.debian(ctx)
	return Binary{Path: got.Program, LibPath: got.LibPath}, err
}

// environ is what the program needs in its environment.
func (b Binary) environ() []string {
	if b.LibPath == "" {
		return nil
	}
	return []string{"LD_LIBRARY_PATH=" + b.LibPath}
}

func version(ctx context.Context, b Binary) (string, error) {
	cmd := exec.CommandContext(ctx, b.Path, "--version")
	cmd.Env = append(os.Environ(), b.environ()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("asking for its version: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return parseVersion(string(out)), nil
}

// parseVersion reads "Redis server v=7.0.15 sha=...".
func parseVersion(said string) string {
	for word := range strings.FieldsSeq(said) {
		if v, ok := strings.CutPrefix(word, "v="); ok {
			return v
		}
	}
	return "unknown"
}
