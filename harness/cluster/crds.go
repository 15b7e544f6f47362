package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	establishTimeout = 30 * time.Second
	establishPoll    = 25 * time.Millisecond
)

// readCRDs reads every document of every *.yaml below the root.
func readCRDs(fsys fs.FS) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	if fsys == nil {
		return nil, nil
	}
	var crds []*apiextensionsv1.CustomResourceDefinition
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		found, err := decodeCRDs(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		crds = append(crds, found...)
		return nil
	})
	return crds, err
}

func decodeCRDs(raw []byte) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var crds []*apiextensionsv1.CustomResourceDefinition
	for docs := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096); ; {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		err := docs.Decode(crd)
		switch {
		case errors.Is(err, io.EOF):
			return crds, nil
		case err != nil:
			return nil, err
		case crd.Kind == "" && crd.Name == "":
			continue // an empty document
		case crd.Kind != "CustomResourceDefinition" || crd.Name == "":
			return nil, fmt.Errorf("a document of kind %q, name %q; want a CustomResourceDefinition with a name", crd.Kind, crd.Name)
		}
		crds = append(crds, crd)
	}
}

func newClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(apiextensionsv1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // this client polls; the limit is for the service under test
	config.Timeout = 10 * time.Second
	cl, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return cl, nil
}

// install creates the CRDs that are missing, waits until all are served, and returns those
// that it created, also when it fails. One that is there already is left as it is, as long
// as it serves our versions.
func install(ctx context.Context, cl client.Client, crds []*apiextensionsv1.CustomResourceDefinition) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var created []*apiextensionsv1.CustomResourceDefinition
	for _, crd := range crds {
		crd = crd.DeepCopy()
		err := cl.Create(ctx, crd)
		switch {
		case err == nil:
			created = append(created, crd)
		case !apierrors.IsAlreadyExists(err):
			return created, fmt.Errorf("installing the CRD %s: %w", crd.Name, err)
		}
	}
	for _, crd := range crds {
		if err := waitForCRD(ctx, cl, crd); err != nil {
			return created, fmt.Errorf("waiting for the CRD %s: %w", crd.Name, err)
		}
	}
	return created, nil
}

func waitForCRD(ctx context.Context, cl client.Client, want *apiextensionsv1.CustomResourceDefinition) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, establishPoll, establishTimeout, true, func(ctx context.Context) (bool, error) {
		got := &apiextensionsv1.CustomResourceDefinition{}
		if last = cl.Get(ctx, client.ObjectKeyFromObject(want), got); last != nil {
			return false, nil
		}
		if err := serves(got, want); err != nil {
			return false, err
		}
		last = errors.New("not established yet")
		return established(got), nil
	})
	if wait.Interrupted(err) {
		return errors.Join(err, last)
	}
	return err
}

// serves reports a version that the CRD in the cluster lacks.
func serves(got, want *apiextensionsv1.CustomResourceDefinition) error {
	for _, w := range want.Spec.Versions {
		found := false
		for _, g := range got.Spec.Versions {
			found = found || g.Name == w.Name && g.Served
		}
		if w.Served && !found {
			return &ErrUnavailable{What: "cluster", Reason: fmt.Sprintf("its CRD %s does not serve %s", want.Name, w.Name),
				Fix: "update the CRD with kubectl apply, or delete it so that it is installed"}
		}
	}
	return nil
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range crd.Status.Conditions {
		if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
			return true
		}
	}
	return false
}

// remove deletes CRDs that install created, if they are still the same objects.
func remove(ctx context.Context, cl client.Client, created []*apiextensionsv1.CustomResourceDefinition) error {
	var errs []error
	for _, crd := range created {
		uid := crd.UID
		err := cl.Delete(ctx, crd, client.Preconditions{UID: &uid})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("removing the CRD %s: %w", crd.Name, err))
		}
	}
	return errors.Join(errs...)
}

// waitForDefaultNamespace waits for the last thing that a new API server makes by itself.
func waitForDefaultNamespace(ctx context.Context, cl client.Client) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, establishPoll, establishTimeout, true, func(ctx context.Context) (bool, error) {
		last = cl.Get(ctx, client.ObjectKey{Name: corev1.NamespaceDefault}, &corev1.Namespace{})
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the namespace %q: %w", corev1.NamespaceDefault, errors.Join(err, last))
	}
	return nil
}
