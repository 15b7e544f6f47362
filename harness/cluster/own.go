package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/internal/process"
)

// What is done to a whole API server is done to one that a single scenario has for itself:
// start it with Options{Kind: Envtest}.

// Programs makes sure that the programs of envtest are there, which may take minutes once, so
// that a scenario's own API server does not have to.
func Programs(ctx context.Context, opt Options) error {
	_, err := newAssets(opt).find(ctx, func(m binaries.Miss) { say(opt.Out, "cluster: passing over %s\n", m) })
	return err
}

// KillAPIServer ends the API server as a crash would, and leaves etcd alone.
func (c *Cluster) KillAPIServer() error {
	p := c.plane
	pids, err := process.Children(p.api, p.dir)
	if err == nil && len(pids) == 0 {
		err = errors.New("it does not run")
	}
	err = errors.Join(err, killAll(pids))
	// envtest waits for what was just killed; where it comes too late there is nothing left to signal.
	if e := p.control.APIServer.Stop(); !errors.Is(e, syscall.ESRCH) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("killing the API server: %w", err)
	}
	return nil
}

// StartAPIServer starts it again where it was, on what etcd holds, and returns when it is healthy.
func (c *Cluster) StartAPIServer() error {
	if err := c.plane.watched(c.plane.control.APIServer.Start); err != nil {
		return fmt.Errorf("starting the API server again: %w", err)
	}
	return nil
}

// InstallCRDs installs what Options.Bare left out, and returns when it is served.
func (c *Cluster) InstallCRDs(ctx context.Context) error {
	cl, err := newClient(c.Config)
	if err == nil {
		_, err = install(ctx, cl, c.crds)
	}
	return err
}

// StoreAs serves the kinds of all CRDs also under another version, the same but for its name,
// and has what is written from now on stored as that one. What is stored already stays as it
// is; the API server converts, and no webhook.
func (c *Cluster) StoreAs(ctx context.Context, version string) error {
	cl, err := newClient(c.Config)
	if err != nil {
		return err
	}
	for _, crd := range c.crds {
		if err := storeAs(ctx, cl, crd.Name, version); err != nil {
			return fmt.Errorf("storing %s as %s: %w", crd.Name, version, err)
		}
	}
	return nil
}

func storeAs(ctx context.Context, cl client.Client, name, version string) error {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := cl.Get(ctx, client.ObjectKey{Name: name}, crd); err != nil {
		return err
	}
	newer := *crd.Spec.Versions[0].DeepCopy()
	newer.Name = version
	for i := range crd.Spec.Versions {
		crd.Spec.Versions[i].Storage = false
	}
	crd.Spec.Versions = append(crd.Spec.Versions, newer)
	if err := cl.Update(ctx, crd); err != nil {
		return err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: crd.Spec.Group, Version: version, Kind: crd.Spec.Names.ListKind})
	var last error
	err := wait.PollUntilContextTimeout(ctx, establishPoll, establishTimeout, true, func(ctx context.Context) (bool, error) {
		if last = cl.List(ctx, list, client.Limit(1)); last != nil {
			return false, nil
		}
		last = cl.Get(ctx, client.ObjectKey{Name: name}, crd)
		return last == nil && slices.Contains(crd.Status.StoredVersions, version), nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}
