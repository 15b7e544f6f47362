package cluster

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/binaries"
)

// The programs of the control plane.
const (
	apiServerProgram = "kube-apiserver"
	etcdProgram      = "etcd"
)

// assetsVariable is what envtest users already set.
const assetsVariable = "KUBEBUILDER_ASSETS"

// assets holds the ways to the folder with the programs, so that the ladder can be tested
// without them.
type assets struct {
	// variable is the value of KUBEBUILDER_ASSETS.
	variable string
	has      func(dir, program string) bool
	// cached returns "" where nothing is cached.
	cached   func() (string, error)
	download func(ctx context.Context) (string, error)
	compile  func(ctx context.Context) (string, error)
}

func newAssets(opt Options) assets {
	return assets{
		variable: os.Getenv(assetsVariable),
		has:      func(dir, program string) bool { return binaries.Executable(filepath.Join(dir, program)) },
		cached:   func() (string, error) { return Cached(opt.CacheDir) },
		download: func(ctx context.Context) (string, error) {
			return binaries.DownloadControlPlane(ctx, opt.CacheDir, opt.Out)
		},
		compile: func(ctx context.Context) (string, error) {
			return binaries.ControlPlane(ctx, opt.CacheDir, opt.Out)
		},
	}
}

// Cached is the folder in the cache that already holds kube-apiserver and etcd, "" if none.
func Cached(cacheDir string) (string, error) {
	recipe, err := binaries.ControlPlaneRecipe()
	if err != nil {
		return "", err
	}
	dir, err := recipe.Dir(cacheDir)
	if err != nil {
		return "", err
	}
	if recipe.Cached(dir) {
		return dir, nil
	}
	return binaries.DownloadedControlPlane(cacheDir)
}

// find climbs the ladder to the folder that holds both programs.
func (a assets) find(ctx context.Context, missed func(binaries.Miss)) (binaries.Catch[string], error) {
	return binaries.Climb(ctx, []binaries.Rung[string]{
		{Name: assetsVariable, Try: a.fromVariable},
		{Name: "cache", Try: a.fromCache},
		{Name: "download", Try: with(a.download, "setup-envtest's archive was downloaded into the cache")},
		{Name: "compiled", Try: with(a.compile, "compiled from Go modules into the cache")},
	}, missed)
}

func (a assets) fromVariable(context.Context) (string, string, error) {
	if a.variable == "" {
		return "", "", &ErrUnavailable{What: assetsVariable, Reason: "not set", Fix: "set it to a folder with kube-apiserver and etcd"}
	}
	var absent []string
	for _, program := range []string{apiServerProgram, etcdProgram} {
		if !a.has(a.variable, program) {
			absent = append(absent, program)
		}
	}
	if len(absent) > 0 {
		return "", "", &ErrUnavailable{What: assetsVariable, Reason: a.variable + " has no " + strings.Join(absent, " and no "),
			Fix: "unset it, or set it to a folder with kube-apiserver and etcd"}
	}
	return a.variable, assetsVariable + " is set", nil
}

func (a assets) fromCache(context.Context) (string, string, error) {
	dir, err := a.cached()
	if err == nil && dir == "" {
		err = &ErrUnavailable{What: "cache", Reason: "empty", Fix: "nothing to do: it fills itself"}
	}
	return dir, "the programs are in the cache", err
}

func with(get func(context.Context) (string, error), reason string) func(context.Context) (string, string, error) {
	return func(ctx context.Context) (string, string, error) {
		dir, err := get(ctx)
		return dir, reason, err
	}
}
