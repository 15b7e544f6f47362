package redis

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/internal/binaries"
)

// fakeFinder has a program wherever a path is given; broken ones do not run.
func fakeFinder(path, cached, debian string, broken ...string) finder {
	return finder{
		path: func() (string, error) {
			if path == "" {
				return "", exec.ErrNotFound
			}
			return path, nil
		},
		cached: func() (binaries.Unpacked, bool, error) {
			return binaries.Unpacked{Program: cached, LibPath: "/cache/lib"}, cached != "", nil
		},
		debian: func(context.Context) (binaries.Unpacked, error) {
			if debian == "" {
				return binaries.Unpacked{}, &ErrUnavailable{What: "redis-server", Reason: "this is no Debian-like system", Fix: "install it"}
			}
			return binaries.Unpacked{Program: debian, LibPath: "/debian/lib"}, nil
		},
		version: func(_ context.Context, b Binary) (string, error) {
			for _, bad := range broken {
				if b.Path == bad {
					return "", errors.New("libjemalloc is missing")
				}
			}
			return "7.0.15", nil
		},
	}
}

func TestFindPrefersWhatIsInstalledAndSaysWhy(t *testing.T) {
	tests := map[string]struct {
		finder finder
		want   Binary
		why    string
	}{
		"a program on PATH comes first": {
			fakeFinder("/usr/bin/redis-server", "/cache/redis-server", "/debian/redis-server"),
			Binary{Path: "/usr/bin/redis-server", Version: "7.0.15"}, "redis-server is on PATH"},
		"then the cache": {
			fakeFinder("", "/cache/redis-server", "/debian/redis-server"),
			Binary{Path: "/cache/redis-server", LibPath: "/cache/lib", Version: "7.0.15"},
			"Debian's package is in the cache; PATH: no redis-server"},
		"then the package": {
			fakeFinder("", "", "/debian/redis-server"),
			Binary{Path: "/debian/redis-server", LibPath: "/debian/lib", Version: "7.0.15"},
			"Debian's package was unpacked into the cache; PATH: no redis-server; cache: empty"},
		"a program that does not run here is passed over": {
			fakeFinder("/usr/bin/redis-server", "/cache/redis-server", "", "/usr/bin/redis-server"),
			Binary{Path: "/cache/redis-server", LibPath: "/cache/lib", Version: "7.0.15"},
			"Debian's package is in the cache; PATH: /usr/bin/redis-server does not run here: libjemalloc is missing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, why, err := tc.finder.find(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("program (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.why, why); diff != "" {
				t.Errorf("reason (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindWithoutAnyProgramKeepsTheReasons(t *testing.T) {
	_, _, err := fakeFinder("", "", "").find(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no Debian-like system") || !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestParseVersionReadsWhatServersSay(t *testing.T) {
	tests := map[string]struct{ said, want string }{
		"redis-server":   {"Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1\n", "7.0.15"},
		"something else": {"hello\n", "unknown"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := parseVersion(tc.said); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
