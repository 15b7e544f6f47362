// Package binaries gets the programs that the harness runs but does not ship, into the
// user's cache, without installing anything.
//
// Three tools do it. Build compiles pinned Go programs: the whole module graph of a Recipe
// is fixed by an embedded go.mod and go.sum, so the same sources are built everywhere and
// checked by their hashes. Debian downloads and unpacks a distribution's packages into a
// folder. Climb tries several ways in order of preference and remembers why each of the
// earlier ones did not do; a Ladder's outcome is what people read when they ask why this
// server was chosen.
//
// The cache is safe to share between processes and to delete at any time. Its entries
// appear whole or not at all: they are made beside their place, under a file lock, and
// renamed into it.
package binaries

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Recipe pins a set of Go programs.
type Recipe struct {
	// Name is for people and for the cache's folder.
	Name    string
	Version string
	GoMod   []byte
	GoSum   []byte
	// Programs are built in this order.
	Programs []Program
	// Takes says how long a cold build takes, for the message.
	Takes string
	// NeedMB is the disk space that a cold build takes, Go's caches included.
	NeedMB int
	// Instead is what else a person can do when it cannot be built; "" when nothing.
	Instead string
}

// Program is one command of a Recipe.
type Program struct {
	Name    string
	Package string
	// LDFlags come after "-s -w".
	LDFlags string
}

//go:embed recipes
var recipes embed.FS

// Versions of the programs that the harness builds.
const (
	KubernetesVersion   = "1.37.2"
	etcdVersion         = "3.7.3"
	alertmanagerVersion = "0.31.1"
)

// kubernetesFlags tell a program of Kubernetes its version, which it compares with others'.
const kubernetesFlags = "-X k8s.io/component-base/version.gitVersion=v" + KubernetesVersion +
	" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37"

// ControlPlaneRecipe is kube-apiserver and etcd.
func ControlPlaneRecipe() (Recipe, error) {
	return load(Recipe{
		Name:    "controlplane",
		Version: KubernetesVersion + "-etcd-" + etcdVersion,
		Programs: []Program{
			{Name: "etcd", Package: "go.etcd.io/etcd/server/v3"},
			{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/kube-apiserver",
				LDFlags: kubernetesFlags},
		},
		Takes:   "about 5 minutes on 2 cores",
		NeedMB:  3000,
		Instead: "set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd",
	})
}

// ControllerManagerRecipe is kube-controller-manager, apart from the control plane because
// most runs do without it.
func ControllerManagerRecipe() (Recipe, error) {
	return load(Recipe{
		Name:    "controllermanager",
		Version: KubernetesVersion,
		Programs: []Program{{Name: "kube-controller-manager", Package: "k8s.io/kubernetes/cmd/kube-controller-manager",
			LDFlags: kubernetesFlags}},
		Takes:   "2 to 5 minutes on 2 cores",
		NeedMB:  3000,
		Instead: "put kube-controller-manager into the folder that KUBEBUILDER_ASSETS names",
	})
}

// AlertmanagerRecipe is Prometheus' Alertmanager.
func AlertmanagerRecipe() (Recipe, error) {
	return load(Recipe{
		Name:    "alertmanager",
		Version: alertmanagerVersion,
		Programs: []Program{{Name: "alertmanager", Package: "github.com/prometheus/alertmanager/cmd/alertmanager",
			LDFlags: "-X github.com/prometheus/common/version.Version=" + alertmanagerVersion}},
		Takes:  "about a minute on 2 cores",
		NeedMB: 1500,
	})
}

func load(r Recipe) (Recipe, error) {
	var err error
	if r.GoMod, err = recipes.ReadFile("recipes/" + r.Name + "/go.mod.txt"); err != nil {
		return Recipe{}, fmt.Errorf("reading the recipe of %s: %w", r.Name, err)
	}
	if r.GoSum, err = recipes.ReadFile("recipes/" + r.Name + "/go.sum.txt"); err != nil {
		return Recipe{}, fmt.Errorf("reading the recipe of %s: %w", r.Name, err)
	}
	return r, nil
}

// DefaultCacheDir is the folder that an empty cacheDir stands for.
func DefaultCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache folder: %w", err)
	}
	return filepath.Join(dir, "stormproof"), nil
}

// Dir is where the programs of the recipe are, or will be, in the cache.
func (r Recipe) Dir(cacheDir string) (string, error) {
	if cacheDir == "" {
		var err error
		if cacheDir, err = DefaultCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(cacheDir, "bin", r.Name+"-"+r.Version+"-"+r.hash()), nil
}

// Cached reports whether every program of the recipe is in dir.
func (r Recipe) Cached(dir string) bool {
	for _, p := range r.Programs {
		if !Executable(filepath.Join(dir, p.Name)) {
			return false
		}
	}
	return len(r.Programs) > 0
}

// Executable reports whether path is a file that can be run.
func Executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// hash changes with everything that changes the programs, the Go toolchain excepted: a
// newer compiler is no reason to build for minutes again.
func (r Recipe) hash() string {
	var all strings.Builder
	for _, part := range []string{runtime.GOOS, runtime.GOARCH, string(r.GoMod), string(r.GoSum)} {
		all.WriteString(strconv.Quote(part))
	}
	for _, p := range r.Programs {
		all.WriteString(strconv.Quote(p.Name) + strconv.Quote(p.Package) + strconv.Quote(p.LDFlags))
	}
	sum := sha256.Sum256([]byte(all.String()))
	return hex.EncodeToString(sum[:])[:12]
}
