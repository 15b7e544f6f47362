package play

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/internal/owned"
	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/scenario"
)

// refusedWithin bounds how long the API server may take to act on a policy or a quota: it
// hears of them by watches of its own.
const refusedWithin = 10 * time.Second

// manifest reads the objects of a manifest. What belongs to a namespace and names none goes
// into the scenario's first; what belongs to none must bear its name, for others share it.
func (w *world) manifest(text string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for doc := range strings.SplitSeq(w.expand(text, 0), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &object.Object); err != nil {
			return nil, fmt.Errorf("reading the manifest: %w", err)
		}
		namespaced, err := w.kube.IsObjectNamespaced(object)
		switch {
		case err != nil:
			return nil, fmt.Errorf("finding the kind %s: %w", object.GetKind(), err)
		case !namespaced && !strings.HasPrefix(object.GetName(), w.namespaces[0]) && object.GetKind() != "Namespace":
			return nil, fmt.Errorf("%s %s belongs to no namespace, so other scenarios would meet it: begin its name with {{ns}}", object.GetKind(), object.GetName())
		case namespaced && object.GetNamespace() == "":
			object.SetNamespace(w.namespaces[0])
		}
		out = append(out, object)
	}
	return out, nil
}

func (w *world) apply(ctx context.Context, manifest string) error {
	objects, err := w.manifest(manifest)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := w.act("create", object.GetNamespace(), object.GetName(), object.GetKind()); err != nil {
			return err
		}
		if object.GetNamespace() == "" {
			owned.Mark(object, w.host.RunID, w.until())
		}
		// What the system itself writes is no exception: if it stays, that is residue.
		ours := object.GroupVersionKind().Group == v1alpha1.GroupVersion.Group
		if object.GetNamespace() == "" || len(object.GetFinalizers()) > 0 && !ours {
			w.lasting = append(w.lasting, object)
		}
		status := object.Object["status"]
		err := w.kube.Create(ctx, object)
		if err == nil && status != nil { // the API server drops it at a create
			object.Object["status"] = status
			err = w.kube.Status().Update(ctx, object)
		}
		if err != nil {
			return fmt.Errorf("creating %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if err := w.granted(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// demandRefusal tries, without making anything, until the API server says no.
func (w *world) demandRefusal(ctx context.Context, r *scenario.Refused) error {
	objects, err := w.manifest(r.Manifest)
	if err != nil {
		return err
	}
	for _, object := range objects {
		what := fmt.Sprintf("the API server refuses %s %s as %s", object.GetKind(), object.GetName(), r.Reason)
		err := wait.Until(ctx, what, refusedWithin, poll, func(ctx context.Context) wait.Look {
			err := w.kube.Create(ctx, object.DeepCopy(), client.DryRunAll)
			reason := string(apierrors.ReasonForError(err))
			return wait.Look{Done: reason == r.Reason, State: func() string { return fmt.Sprintf("%q: %v", reason, err) }}
		})
		if err != nil {
			return failf("%v", err)
		}
	}
	return nil
}

// withdraw deletes what a manifest names, and does not wait until it is gone.
func (w *world) withdraw(ctx context.Context, manifest string) error {
	objects, err := w.manifest(manifest)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := w.act("withdraw", object.GetNamespace(), object.GetName(), object.GetKind()); err != nil {
			return err
		}
		if err := w.discard(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// discard deletes an object, whoever wants to be asked before.
func (w *world) discard(ctx context.Context, object *unstructured.Unstructured) error {
	free := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	err := w.kube.Patch(ctx, object.DeepCopy(), free)
	if err == nil {
		err = w.kube.Delete(ctx, object.DeepCopy())
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

// discardLasting deletes what would outlast the scenario's namespaces, the last first.
func (w *world) discardLasting(ctx context.Context) error {
	var errs []error
	for i := len(w.lasting) - 1; i >= 0; i-- {
		errs = append(errs, w.discard(ctx, w.lasting[i]))
	}
	w.lasting = nil
	return errors.Join(errs...)
}
