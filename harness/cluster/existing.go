package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/stormproof/stormproof/harness/report"
)

// useExisting connects to the current context of a kubeconfig.
func useExisting(ctx context.Context, opt Options, crds []*apiextensionsv1.CustomResourceDefinition) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = opt.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, &ErrUnavailable{What: "cluster", Reason: "no usable kubeconfig", Err: err,
			Fix: "give one with --kubeconfig or KUBECONFIG, or use --cluster=auto"}
	}
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	path := kubeconfigPath(opt.Dir)
	if err := writeKubeconfig(raw, path); err != nil {
		return nil, err
	}
	cl, err := newClient(config)
	if err != nil {
		return nil, &ErrUnavailable{What: "cluster", Reason: "no connection to " + config.Host, Err: err,
			Fix: "check that the cluster runs (kubectl version), or use --cluster=auto"}
	}
	created, err := install(ctx, cl, crds)
	undo := func(ctx context.Context) error { return errors.Join(remove(ctx, cl, created), os.RemoveAll(path)) }
	if err != nil {
		err = errors.Join(err, undo(context.WithoutCancel(ctx)))
		if _, ok := errors.AsType[*ErrUnavailable](err); ok || ctx.Err() != nil {
			return nil, err
		}
		return nil, &ErrUnavailable{What: "cluster", Reason: "the CRDs cannot be installed at " + config.Host, Err: err,
			Fix: "check that the cluster runs and that you may create CustomResourceDefinitions, or use --cluster=auto"}
	}
	return &Cluster{Config: config, KubeconfigPath: path, Kind: Existing, Controllers: true, stop: undo,
		Choice: report.Choice{Part: "cluster", Chosen: "existing " + config.Host,
			Reason: fmt.Sprintf("context %q was asked for; %d of %d CRDs were missing and installed", raw.CurrentContext, len(created), len(crds))}}, nil
}

// writeKubeconfig writes the current context only, with every file that it names inlined.
func writeKubeconfig(raw clientcmdapi.Config, path string) error {
	one := raw.DeepCopy()
	if err := clientcmdapi.MinifyConfig(one); err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if err := clientcmdapi.FlattenConfig(one); err != nil {
		return fmt.Errorf("reading the files that the kubeconfig names: %w", err)
	}
	if err := clientcmd.WriteToFile(*one, path); err != nil { // readable by this user only
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}
