package offline

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// cluster is as much of an API server as the gateway asks for: it keeps objects in a map,
// refuses a name that is taken and an update of something else than what is there. Any
// other method is nil and panics: then the gateway has come to ask for more.
type cluster struct {
	client.Client
	mu      sync.Mutex
	objects map[string]client.Object
	made    int
}

func newCluster() *cluster { return &cluster{objects: map[string]client.Object{}} }

func keyOf(o client.Object, namespace, name string) string {
	return fmt.Sprintf("%T %s/%s", o, namespace, name)
}

var resource = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "objects"}

// Create implements client.Client.
func (c *cluster) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := keyOf(o, o.GetNamespace(), o.GetName())
	if c.objects[key] != nil {
		return apierrors.NewAlreadyExists(resource, o.GetName())
	}
	c.made++
	o.SetUID(types.UID("uid-" + strconv.Itoa(c.made)))
	o.SetResourceVersion("1")
	c.objects[key] = o.DeepCopyObject().(client.Object)
	return nil
}

// Get implements client.Client.
func (c *cluster) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.objects[keyOf(into, key.Namespace, key.Name)]
	if o == nil {
		return apierrors.NewNotFound(resource, key.Name)
	}
	return copyTo(o, into)
}

// Update implements client.Client.
func (c *cluster) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := keyOf(o, o.GetNamespace(), o.GetName())
	old := c.objects[key]
	switch {
	case old == nil:
		return apierrors.NewNotFound(resource, o.GetName())
	case old.GetResourceVersion() != o.GetResourceVersion():
		return apierrors.NewConflict(resource, o.GetName(), fmt.Errorf("it is at version %s", old.GetResourceVersion()))
	}
	n, _ := strconv.Atoi(old.GetResourceVersion()) // Create and Update alone write it
	o.SetResourceVersion(strconv.Itoa(n + 1))
	c.objects[key] = o.DeepCopyObject().(client.Object)
	return nil
}

// List implements client.Client: by namespace and labels.
func (c *cluster) List(_ context.Context, into client.ObjectList, opts ...client.ListOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var o client.ListOptions
	o.ApplyOptions(opts)
	if o.LabelSelector == nil {
		o.LabelSelector = labels.Everything()
	}
	for _, object := range c.objects {
		if object.GetNamespace() != o.Namespace || !o.LabelSelector.Matches(labels.Set(object.GetLabels())) {
			continue
		}
		switch list := into.(type) {
		case *v1alpha1.RemediationRequestList:
			if rr, ok := object.(*v1alpha1.RemediationRequest); ok {
				list.Items = append(list.Items, *rr.DeepCopy())
			}
		case *v1alpha1.StormPageList:
			if page, ok := object.(*v1alpha1.StormPage); ok {
				list.Items = append(list.Items, *page.DeepCopy())
			}
		}
	}
	return nil
}

// complete moves every RemediationRequest to the terminal phase, as a remediator would.
func (c *cluster) complete() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.objects {
		if rr, ok := o.(*v1alpha1.RemediationRequest); ok {
			rr.Status.Phase = v1alpha1.PhaseCompleted
		}
	}
}

// count counts the RemediationRequests, and of those the storms.
func (c *cluster) count() (all, storms int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.objects {
		if rr, ok := o.(*v1alpha1.RemediationRequest); ok {
			all++
			if rr.Spec.Storm != nil {
				storms++
			}
		}
	}
	return all, storms
}

func copyTo(from, into client.Object) error {
	switch into := into.(type) {
	case *v1alpha1.RemediationRequest:
		from.(*v1alpha1.RemediationRequest).DeepCopyInto(into)
	case *v1alpha1.StormPage:
		from.(*v1alpha1.StormPage).DeepCopyInto(into)
	default:
		return &meta.NoKindMatchError{}
	}
	return nil
}
