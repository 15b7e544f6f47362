package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	kindconfig "sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kind "sigs.k8s.io/kind/pkg/cluster"

	"github.com/stormproof/stormproof/harness/internal/containers"
	"github.com/stormproof/stormproof/harness/report"
)

const (
	// kindReadyWithin bounds the wait for the node, when everything runs already.
	kindReadyWithin = 2 * time.Minute
	// hurryEvery is how often the nodes of a cluster that is no longer wanted are removed
	// while Kind, which cannot be interrupted, still makes them.
	hurryEvery = time.Second
)

// kindCluster is one Kind cluster of our own.
type kindCluster struct {
	provider *kind.Provider
	claim    *containers.Claim
	image    string
	log      *os.File
	config   *rest.Config
	// kubeconfig is where Kind writes it.
	kubeconfig string
}

// startKind makes a cluster for this run alone. What a killed run left is removed first.
func startKind(ctx context.Context, opt Options, crds []*apiextensionsv1.CustomResourceDefinition) (*Cluster, error) {
	daemon, why, err := containers.Find(ctx)
	if err != nil {
		return nil, noDaemon(ctx, err)
	}
	image, from, err := nodeImage(ctx, daemon, opt)
	if err != nil {
		return nil, err
	}
	k := &kindCluster{image: image, kubeconfig: kubeconfigPath(opt.Dir)}
	if k.log, err = logFile(opt.Dir, "kind"); err != nil {
		return nil, fmt.Errorf("opening Kind's log: %w", err)
	}
	k.provider = newProvider(daemon.Name, k.log)
	if err := sweep(k.provider, opt); err != nil {
		return nil, errors.Join(err, k.log.Close())
	}
	if k.claim, err = containers.NewClaim(opt.CacheDir, Kind); err != nil {
		return nil, errors.Join(err, k.log.Close())
	}
	say(opt.Out, "cluster: making the Kind cluster %s from %s, about 20 s\n", k.claim.Name, image)
	if err := k.start(ctx, opt.Dir, crds); err != nil {
		if left := k.stop(ctx); left != nil { // said here, because an interrupt hides it
			say(opt.Out, "cluster: %s\n", left)
		}
		return nil, noKind(ctx, "the cluster did not come up", "read kind.log and kind-logs in "+opt.Dir+", or use --cluster=envtest", err)
	}
	return &Cluster{Config: k.config, Controllers: true, KubeconfigPath: k.kubeconfig, Kind: Kind, Node: nodeOf(k, daemon), stop: k.stop,
		Choice: report.Choice{Part: "cluster", Chosen: "kind (" + image + ")", Reason: why + "; " + from}}, nil
}

// noKind keeps an interrupt what it is.
func noKind(ctx context.Context, reason, fix string, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &ErrUnavailable{What: "cluster", Reason: reason, Fix: fix + "; or use --cluster=envtest", Err: cause}
}

// noDaemon says of a Kind cluster what package containers says of the daemon.
func noDaemon(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*ErrUnavailable](err); ok {
		return noKind(ctx, u.Reason, u.Fix, u.Err)
	}
	return err
}

func newProvider(daemon string, log io.Writer) *kind.Provider {
	option := kind.ProviderWithDocker()
	if daemon == containers.Podman {
		option = kind.ProviderWithPodman()
	}
	return kind.NewProvider(option, kind.ProviderWithLogger(kindLog{log}))
}

func (k *kindCluster) start(ctx context.Context, dir string, crds []*apiextensionsv1.CustomResourceDefinition) error {
	if err := k.create(ctx); err != nil {
		// Kind's own error is the last command that failed; what matters is on the node.
		return errors.Join(err, k.collect(ctx, dir))
	}
	config, err := clientcmd.BuildConfigFromFlags("", k.kubeconfig)
	if err != nil {
		return fmt.Errorf("reading Kind's kubeconfig: %w", err)
	}
	k.config = config
	cl, err := newClient(config)
	if err != nil {
		return err
	}
	if err := waitForDefaultNamespace(ctx, cl); err != nil {
		return err
	}
	_, err = install(ctx, cl, crds)
	return err
}

// create makes the cluster. Kind knows no contexts: when ours ends, the nodes are removed
// under its hands until it gives up.
func (k *kindCluster) create(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		done <- k.provider.Create(k.claim.Name,
			kind.CreateWithV1Alpha4Config(kindConfig(k.image)),
			kind.CreateWithNodeImage(k.image),
			kind.CreateWithKubeconfigPath(k.kubeconfig),
			kind.CreateWithWaitForReady(kindReadyWithin),
			kind.CreateWithRetain(true)) // for the logs; stop removes it
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	tick := time.NewTicker(hurryEvery)
	defer tick.Stop()
	for {
		err := k.provider.Delete(k.claim.Name, k.kubeconfig)
		select {
		case made := <-done:
			return errors.Join(ctx.Err(), made)
		case <-tick.C:
			if err != nil {
				fmt.Fprintf(k.log, "removing the nodes: %s\n", err) // stop will say so if it stays
			}
		}
	}
}

// collect keeps the node's logs of a cluster that did not come up.
func (k *kindCluster) collect(ctx context.Context, dir string) error {
	if ctx.Err() != nil {
		return nil
	}
	if err := k.provider.CollectLogs(k.claim.Name, filepath.Join(dir, "kind-logs")); err != nil {
		return fmt.Errorf("collecting the node's logs: %w", err)
	}
	return nil
}

// stop removes the cluster; where that fails the claim stays, and the next start tries again.
func (k *kindCluster) stop(context.Context) error {
	err := k.provider.Delete(k.claim.Name, k.kubeconfig)
	if err == nil {
		err = errors.Join(k.claim.Release(), os.RemoveAll(k.kubeconfig))
	} else {
		k.claim.Keep()
		err = fmt.Errorf("removing the Kind cluster %s: %w; the next start tries again", k.claim.Name, err)
	}
	return errors.Join(err, k.log.Close())
}

// sweep removes the clusters of runs that were killed, known by their claims. A cluster
// that is in another daemon, or was removed by hand, is gone as far as this one knows.
func sweep(provider *kind.Provider, opt Options) error {
	orphans, err := containers.Orphans(opt.CacheDir, Kind)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		say(opt.Out, "cluster: removing the Kind cluster %s, whose run was killed\n", o.Name)
		if err := provider.Delete(o.Name, ""); err != nil {
			o.Keep()
			return fmt.Errorf("removing the Kind cluster %s: %w", o.Name, err)
		}
		if err := o.Release(); err != nil {
			return fmt.Errorf("removing the Kind cluster %s: %w", o.Name, err)
		}
	}
	return nil
}

// kindConfig is one node. Our own image has neither kube-proxy nor CoreDNS, so they are not
// asked for; its network is configured in the image.
func kindConfig(image string) *kindconfig.Cluster {
	c := &kindconfig.Cluster{Networking: kindconfig.Networking{APIServerAddress: "127.0.0.1"}}
	if !bare(image) {
		return c
	}
	c.Networking.DisableDefaultCNI = true
	c.Networking.KubeProxyMode = kindconfig.ProxyMode("none")
	c.KubeadmConfigPatches = []string{"kind: InitConfiguration\nskipPhases: [preflight, addon/kube-proxy, addon/coredns]\n"}
	return c
}
