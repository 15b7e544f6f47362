// Package cluster brings up the Kubernetes API that scenarios run against.
//
// Start prefers, in this order, what comes closest to production: a Kind cluster, where a
// container daemon and a node image are there, then an API server and etcd of our own, run
// by controller-runtime's envtest. The programs for the latter come from
// KUBEBUILDER_ASSETS, the user's cache, setup-envtest's archives, or are compiled from their
// Go modules. A cluster that exists already is used only when it is asked for by name;
// there, nothing is deleted but what Start made.
//
//	auto ── kind ── envtest
//	          │       └── KUBEBUILDER_ASSETS, cache, download, compile
//	          └── docker, podman; a local node image, or, when Kind is asked for, the official one
//
// No controller-manager runs in envtest unless it is asked for (Options.Controllers):
// namespaces stay in Terminating, nothing is garbage collected, and quota has no status.
// Scenarios use a fresh namespace each.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/report"
)

// Kinds of clusters.
const (
	Auto     = "auto"
	Kind     = "kind"
	Envtest  = "envtest"
	Existing = "existing"
)

// ErrUnavailable says why a kind of cluster cannot be had here, and the fix.
type ErrUnavailable = binaries.Unavailable

// Options for Start; the zero value starts the best cluster there is, without CRDs.
type Options struct {
	// Kind is one of the kinds above; "" is Auto.
	Kind string
	// Kubeconfig names the existing cluster; "" is $KUBECONFIG, then ~/.kube/config. With
	// Auto it must be given to be used.
	Kubeconfig string
	// CRDs holds manifests (*.yaml, in any folder) of CustomResourceDefinitions; may be nil.
	CRDs fs.FS
	// Bare leaves it to Cluster.InstallCRDs to install them, in envtest.
	Bare bool
	// CacheDir is where programs are kept; "" for the user's cache folder.
	CacheDir string
	// Dir receives the kubeconfig and the logs; "" for a temporary folder that Stop removes.
	Dir string
	// Controllers starts kube-controller-manager beside envtest, with the controllers of
	// namespaces, garbage and quotas. Other kinds of clusters have it anyway.
	Controllers bool
	// Out receives progress; nil discards it.
	Out io.Writer
}

// Cluster is a Kubernetes API that is ready for use.
type Cluster struct {
	// Config has full rights. It leaves client-go's limits on the rate of requests as they
	// are by default; callers set their own.
	Config *rest.Config
	// KubeconfigPath is a file with the same rights, readable by this user only.
	KubeconfigPath string
	// Kind is the one that was chosen.
	Kind   string
	Choice report.Choice
	// StartRetries counts starts of the control plane that failed before one held; more
	// than 0 means that this machine is in trouble.
	StartRetries int
	// Controllers says that namespaces go, garbage is collected and quotas count.
	Controllers bool
	// AuditLog is the API server's audit log: requests on our own kinds and on namespaces,
	// without bodies. It is "" for a cluster that is not ours to configure.
	AuditLog string
	// Node is that of a Kind cluster, nil of any other.
	Node *Node

	// plane is nil where the API server is not ours; crds are those of Options.
	plane *plane
	crds  []*apiextensionsv1.CustomResourceDefinition
	stop  func(ctx context.Context) error
}

// Start brings up a cluster with the CRDs installed and established. Its programs end with
// ctx: pass the context of the whole run. A Kind cluster ends with Stop; that of a harness
// that was killed is removed by the next one. Errors are *ErrUnavailable where the fix lies
// with the machine.
func Start(ctx context.Context, opt Options) (*Cluster, error) {
	if opt.Out == nil {
		opt.Out = io.Discard
	}
	crds, err := readCRDs(opt.CRDs)
	if err != nil {
		return nil, fmt.Errorf("reading the CRDs: %w", err)
	}
	tidy := func() error { return nil }
	if opt.Dir == "" {
		if opt.Dir, err = os.MkdirTemp("", "stormproof-cluster-"); err != nil {
			return nil, fmt.Errorf("making a folder for the cluster: %w", err)
		}
		dir := opt.Dir
		tidy = func() error { return os.RemoveAll(dir) }
	} else if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for the cluster: %w", err)
	}
	catch, err := climb(ctx, opt, ladder{
		kind:     func(ctx context.Context) (*Cluster, error) { return startKind(ctx, opt, crds) },
		envtest:  func(ctx context.Context) (*Cluster, error) { return startEnvtest(ctx, opt, crds) },
		existing: func(ctx context.Context) (*Cluster, error) { return useExisting(ctx, opt, crds) },
	})
	if err != nil {
		return nil, errors.Join(err, tidy())
	}
	c, stop := catch.Got, catch.Got.stop
	c.Choice.Reason = catch.Why()
	c.stop = func(ctx context.Context) error { return errors.Join(stop(ctx), tidy()) }
	return c, nil
}

// Stop ends a cluster that Start made; in an existing one it removes the CRDs that Start
// installed, and nothing else.
func (c *Cluster) Stop(ctx context.Context) error { return c.stop(ctx) }

// ladder holds the ways to a cluster, so that the choice can be tested without them.
type ladder struct {
	kind, envtest, existing func(ctx context.Context) (*Cluster, error)
}

// climb chooses. A forced kind stands alone, so that its failure is the error.
func climb(ctx context.Context, opt Options, l ladder) (binaries.Catch[*Cluster], error) {
	rung := func(name string, try func(context.Context) (*Cluster, error)) binaries.Rung[*Cluster] {
		return binaries.Rung[*Cluster]{Name: name, Try: func(ctx context.Context) (*Cluster, string, error) {
			c, err := try(ctx)
			if err != nil {
				return nil, "", err
			}
			return c, c.Choice.Reason, nil
		}}
	}
	var rungs []binaries.Rung[*Cluster]
	switch {
	case opt.Kind == Existing, (opt.Kind == Auto || opt.Kind == "") && opt.Kubeconfig != "":
		// A kubeconfig that was given is meant: nothing else will do.
		rungs = append(rungs, rung(Existing, l.existing))
	case opt.Kind == Kind:
		rungs = append(rungs, rung(Kind, l.kind))
	case opt.Kind == Envtest:
		rungs = append(rungs, rung(Envtest, l.envtest))
	case opt.Kind == Auto || opt.Kind == "":
		rungs = append(rungs, rung(Kind, l.kind), rung(Envtest, l.envtest))
	default:
		return binaries.Catch[*Cluster]{}, &ErrUnavailable{What: "cluster", Reason: fmt.Sprintf("there is no kind %q", opt.Kind),
			Fix: "use --cluster=auto, kind, envtest or existing"}
	}
	return binaries.Climb(ctx, rungs, func(m binaries.Miss) {
		say(opt.Out, "cluster: passing over %s\n", m)
	})
}

// kubeconfigPath is where the kubeconfig of the cluster goes.
func kubeconfigPath(dir string) string { return filepath.Join(dir, "kubeconfig") }

// say prints to a person; a reader that went away is no reason to stop.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
