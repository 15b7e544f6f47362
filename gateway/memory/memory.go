// Package memory is as much of an API server as the gateway asks for, inside of the process:
// the offline replay decides on it, and the model of the protocol (package model) explores
// it in schedules that no real server could be driven through.
//
// It keeps the rules that the exactly-once writer rests on: a name belongs to one object, an
// update must carry the resource version that is there, a status is written on its own, an
// owned object goes with its owner.
package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// Cluster holds RemediationRequests and StormPages. Any other kind, and a method of
// client.Client that is not here, panics: then the gateway has come to ask for more. It may
// be used by many goroutines at once.
type Cluster struct {
	client.Client
	mu      sync.Mutex
	objects map[string]client.Object
	version int
}

// New returns an empty cluster.
func New() *Cluster { return &Cluster{objects: map[string]client.Object{}} }

func keyOf(o client.Object, namespace, name string) string {
	return resourceOf(o) + " " + namespace + "/" + name
}

func resourceOf(o client.Object) string {
	if _, page := o.(*v1alpha1.StormPage); page {
		return "stormpages"
	}
	return "remediationrequests"
}

func resource(o client.Object) schema.GroupResource {
	return schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: resourceOf(o)}
}

// stored is the object as a server keeps it: what JSON does not carry is gone.
func stored(o client.Object) (client.Object, error) {
	out := reflect.New(reflect.TypeOf(o).Elem()).Interface().(client.Object)
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", o.GetName(), err)
	}
	return out, json.Unmarshal(text, out)
}

// Create implements client.Client. A status is not taken.
func (c *Cluster) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := keyOf(o, o.GetNamespace(), o.GetName())
	if c.objects[key] != nil {
		return apierrors.NewAlreadyExists(resource(o), o.GetName())
	}
	made, err := stored(o)
	if err != nil {
		return err
	}
	setStatus(made, nil)
	made.SetUID(types.UID("uid-" + strconv.Itoa(c.version+1)))
	made.SetCreationTimestamp(metav1.Now().Rfc3339Copy())
	made.SetGeneration(1)
	c.keep(key, made)
	return copyTo(made, o)
}

// keep stores an object under a new version.
func (c *Cluster) keep(key string, o client.Object) {
	c.version++
	o.SetResourceVersion(strconv.Itoa(c.version))
	c.objects[key] = o
}

// Get implements client.Client.
func (c *Cluster) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.objects[keyOf(into, key.Namespace, key.Name)]
	if o == nil {
		return apierrors.NewNotFound(resource(into), key.Name)
	}
	return copyTo(o, into)
}

// Update implements client.Client. Of a RemediationRequest the status stays as it is.
func (c *Cluster) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	return c.update(o, func(old, next client.Object) { setStatus(next, old) })
}

// Status implements client.Client; of the writer, Update alone.
func (c *Cluster) Status() client.SubResourceWriter { return status{cluster: c} }

type status struct {
	client.SubResourceWriter
	cluster *Cluster
}

// Update implements client.SubResourceWriter: all but the status stays as it is.
func (s status) Update(_ context.Context, o client.Object, _ ...client.SubResourceUpdateOption) error {
	return s.cluster.update(o, func(old, next client.Object) {
		written := next.DeepCopyObject().(client.Object)
		_ = copyTo(old, next) // both are of one kind
		setStatus(next, written)
	})
}

// update replaces an object by what merge makes of the old and the new one.
func (c *Cluster) update(o client.Object, merge func(old, next client.Object)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := keyOf(o, o.GetNamespace(), o.GetName())
	old := c.objects[key]
	switch {
	case old == nil:
		return apierrors.NewNotFound(resource(o), o.GetName())
	case o.GetResourceVersion() == "":
		return apierrors.NewInvalid(schema.GroupKind{}, o.GetName(), nil)
	case o.GetUID() != "" && o.GetUID() != old.GetUID(), old.GetResourceVersion() != o.GetResourceVersion():
		return apierrors.NewConflict(resource(o), o.GetName(), fmt.Errorf("%s is at version %s", old.GetUID(), old.GetResourceVersion()))
	}
	next, err := stored(o)
	if err != nil {
		return err
	}
	merge(old, next)
	if !reflect.DeepEqual(old, next) { // an update that changes nothing makes no version
		c.keep(key, next)
	}
	return copyTo(c.objects[key], o)
}

// Delete implements client.Client. What the object owns goes with it, at once.
func (c *Cluster) Delete(_ context.Context, o client.Object, opts ...client.DeleteOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var by client.DeleteOptions
	by.ApplyOptions(opts)
	key := keyOf(o, o.GetNamespace(), o.GetName())
	old := c.objects[key]
	if old == nil {
		return apierrors.NewNotFound(resource(o), o.GetName())
	}
	if p := by.Preconditions; p != nil && (p.UID != nil && *p.UID != old.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != old.GetResourceVersion()) {
		return apierrors.NewConflict(resource(o), o.GetName(), fmt.Errorf("it is %s at version %s", old.GetUID(), old.GetResourceVersion()))
	}
	delete(c.objects, key)
	for k, owned := range c.objects {
		if slices.ContainsFunc(owned.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == old.GetUID() }) {
			delete(c.objects, k)
		}
	}
	return nil
}

// List implements client.Client: by namespace and labels, in the order of names.
func (c *Cluster) List(_ context.Context, into client.ObjectList, opts ...client.ListOption) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var o client.ListOptions
	o.ApplyOptions(opts)
	if o.LabelSelector == nil {
		o.LabelSelector = labels.Everything()
	}
	for _, key := range slices.Sorted(maps.Keys(c.objects)) {
		object := c.objects[key]
		if o.Namespace != "" && object.GetNamespace() != o.Namespace || !o.LabelSelector.Matches(labels.Set(object.GetLabels())) {
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
		default:
			return &meta.NoKindMatchError{}
		}
	}
	into.SetResourceVersion(strconv.Itoa(c.version))
	return nil
}

// Requests are all RemediationRequests, in the order of names.
func (c *Cluster) Requests() []v1alpha1.RemediationRequest {
	var list v1alpha1.RemediationRequestList
	_ = c.List(context.Background(), &list) // fails for other kinds only
	return list.Items
}

// Complete moves an object to the phase Completed, as a remediator would.
func (c *Cluster) Complete(rr v1alpha1.RemediationRequest) error {
	rr.Status.Phase = v1alpha1.PhaseCompleted
	return c.Status().Update(context.Background(), &rr)
}

// setStatus makes the status of a RemediationRequest that of another; nil empties it.
func setStatus(o, from client.Object) {
	rr, ok := o.(*v1alpha1.RemediationRequest)
	if !ok {
		return
	}
	rr.Status = v1alpha1.RemediationRequestStatus{}
	if from != nil {
		from.(*v1alpha1.RemediationRequest).Status.DeepCopyInto(&rr.Status)
	}
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
