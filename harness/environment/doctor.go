package environment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/redis"
)

// State of a part of the machine.
type State string

// The states. Degraded works, with less.
const (
	OK       State = "ok"
	Degraded State = "degraded"
	Missing  State = "missing"
)

// Finding is what Doctor says about one part.
type Finding struct {
	Part  string
	State State
	// What is there, Why it matters, and the command that fixes it; the last two may be "".
	What, Why, Fix string
}

// Facts is what Doctor looks at, so that what it concludes can be tested without a machine.
type Facts struct {
	Go, CC, Git, Redis, Chromium string
	// ControlPlane, ControllerManager and Alertmanager are folders or files in the cache, "" when not there.
	ControlPlane, ControllerManager, Alertmanager, RedisCached string
	// Kind is the daemon and the node image for Kind clusters; where there is none, NoKind
	// says why.
	Kind   string
	NoKind error
	// Container is the daemon and the image for containers of Redis, or NoContainer why not.
	Container   string
	NoContainer error
	// Apt says that Debian's package tools are there.
	Apt    bool
	Cache  string
	FreeMB int
}

// needMB is what building the control plane takes, Go's build cache included.
const needMB = 3000

// Doctor looks at the machine.
func Doctor(ctx context.Context, o Options) []Finding {
	f := probe(o)
	f.Kind, f.NoKind = cluster.KindReady(ctx)
	f.Container, f.NoContainer = redis.ContainerReady(ctx)
	return Diagnose(f)
}

func probe(o Options) Facts {
	which := func(names ...string) string {
		for _, n := range names {
			if p, err := exec.LookPath(n); err == nil {
				return p
			}
		}
		return ""
	}
	f := Facts{Go: which("go"), CC: which("gcc", "clang"), Git: which("git"), Redis: which("redis-server"),
		Chromium: which("chromium", "chromium-browser", "google-chrome"), Apt: which("apt-get") != "" && which("dpkg-deb") != "", Cache: o.CacheDir}
	if f.Cache == "" {
		f.Cache, _ = binaries.DefaultCacheDir() // unknown shows as an empty folder below
	}
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		f.ControlPlane = dir
	} else if dir, err := cluster.Cached(f.Cache); err == nil {
		f.ControlPlane = dir
	}
	cached := func(r binaries.Recipe, err error) string {
		if err == nil {
			if dir, err := r.Dir(f.Cache); err == nil && r.Cached(dir) {
				return dir
			}
		}
		return ""
	}
	f.ControllerManager, f.Alertmanager = cached(binaries.ControllerManagerRecipe()), cached(binaries.AlertmanagerRecipe())
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" && binaries.Executable(filepath.Join(dir, "kube-controller-manager")) {
		f.ControllerManager = dir
	}
	if u, found, err := binaries.DebianCached(f.Cache, "redis-server", "redis-server"); err == nil && found {
		f.RedisCached = u.Program
	}
	if err := os.MkdirAll(f.Cache, 0o755); err == nil {
		f.FreeMB, _ = binaries.FreeMB(f.Cache) // 0 where it cannot be asked: said as too little
	}
	return f
}

// Diagnose concludes from the facts.
func Diagnose(f Facts) []Finding {
	return []Finding{
		tool("go", f.Go, Missing, "nothing can be built", "install Go from https://go.dev/dl"),
		tool("git", f.Git, Degraded, "reports cannot name the commit", "apt-get install git"),
		tool("C compiler", f.CC, Degraded, "no race detector; the gate demands it", "apt-get install gcc libc6-dev"),
		controlPlane(f),
		optional("kind", f.Kind, f.NoKind, "clusters are envtest's, without nodes and pods"),
		redisServer(f),
		optional("redis container", f.Container, f.NoContainer, "Redis runs as a process"),
		onDemand("controller manager", f.ControllerManager, "compiles it from Kubernetes' Go module, 2 to 5 minutes, once"),
		onDemand("alertmanager", f.Alertmanager, "compiles it from its Go module, about a minute, once"),
		disk(f),
		tool("chromium", f.Chromium, Degraded, "only make test-dashboard needs it", "apt-get install chromium"),
	}
}

func tool(part, path string, without State, why, fix string) Finding {
	if path != "" {
		return Finding{Part: part, State: OK, What: path}
	}
	return Finding{Part: part, State: without, What: "not on PATH", Why: why, Fix: fix}
}

func controlPlane(f Facts) Finding {
	switch {
	case f.ControlPlane != "":
		return Finding{Part: "control plane", State: OK, What: f.ControlPlane}
	case f.Go == "":
		return Finding{Part: "control plane", State: Missing, What: "neither in the cache nor can it be built", Fix: "install Go, or set KUBEBUILDER_ASSETS"}
	}
	return Finding{Part: "control plane", State: OK, What: "not there yet",
		Why: "the first run downloads it, or else compiles it from Go modules: about 5 minutes, once"}
}

func redisServer(f Facts) Finding {
	switch {
	case f.Redis != "":
		return Finding{Part: "redis-server", State: OK, What: f.Redis}
	case f.RedisCached != "":
		return Finding{Part: "redis-server", State: OK, What: f.RedisCached}
	case f.Apt:
		return Finding{Part: "redis-server", State: OK, What: "not there yet", Why: "the first run unpacks Debian's package into the cache; nothing is installed"}
	}
	return Finding{Part: "redis-server", State: Degraded, What: "only the embedded server", Why: "scenarios that need a real server fail",
		Fix: "install Redis with your system's package manager"}
}

// onDemand is a part that only some scenarios need, and that comes by itself.
func onDemand(part, dir, how string) Finding {
	if dir != "" {
		return Finding{Part: part, State: OK, What: dir}
	}
	return Finding{Part: part, State: OK, What: "not there yet", Why: "the first run that needs it " + how}
}

// optional is a part that has a stand-in.
func optional(part, what string, missing error, without string) Finding {
	if missing == nil {
		return Finding{Part: part, State: OK, What: what}
	}
	f := Finding{Part: part, State: Degraded, What: missing.Error(), Why: without, Fix: "see what it says"}
	if u, ok := errors.AsType[*binaries.Unavailable](missing); ok {
		f.What, f.Fix = u.Reason, u.Fix
	}
	return f
}

func disk(f Facts) Finding {
	what := fmt.Sprintf("%d MB free at %s", f.FreeMB, f.Cache)
	if f.FreeMB < needMB && f.ControlPlane == "" {
		return Finding{Part: "disk", State: Missing, What: what, Why: fmt.Sprintf("building the control plane takes about %d MB", needMB),
			Fix: "free some space, or set XDG_CACHE_HOME to a larger disk"}
	}
	return Finding{Part: "disk", State: OK, What: what}
}
