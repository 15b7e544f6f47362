package remediation

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/crash"
)

// resource is how calls for RemediationRequests are reported.
const resource = "remediationrequests"

// tries bounds how many taken names are stepped over in one call.
const tries = 50

// Found is the object of an incident.
type Found struct {
	Object *v1alpha1.RemediationRequest
	// Created is true for the one call that made it.
	Created bool
}

// Options of a Writer.
type Options struct {
	Client client.Client
	Caller Caller
	Clock  clock.Clock
	// Window is the deduplication window.
	Window time.Duration
	// HoldWhileActive keeps an incident open past its window until its phase is terminal.
	HoldWhileActive bool
	// Fallback is the namespace for objects whose own does not exist, is being deleted or has
	// no quota left; "" sends or turns their alerts back.
	Fallback string
	// LastSeen, if not nil, is what this process knows of an object beyond its status.
	LastSeen func(uid string) time.Time
}

// Writer makes objects. It may be used by many goroutines, and processes, at once.
type Writer struct{ o Options }

// NewWriter returns a writer.
func NewWriter(o Options) *Writer { return &Writer{o: o} }

// Ensure returns the open object of an incident, and makes it where there is none.
func (w *Writer) Ensure(ctx context.Context, i Incident) (Found, error) {
	n := i.Past + 1
	if i.Past == 0 {
		newest, err := w.Newest(ctx, i.Namespace, i.Fingerprint)
		if err != nil {
			return Found{}, err
		}
		if newest != nil && w.Open(newest) {
			return Found{Object: newest}, nil
		}
		if newest != nil {
			n = int(newest.Spec.Incarnation) + 1
		}
	}
	for range tries {
		found, taken, err := w.claim(ctx, i, ObjectName(i.Fingerprint, n), n)
		if err != nil || !taken {
			return found, err
		}
		n++
	}
	return Found{}, &RefusedError{Reason: NamesTaken, Detail: "naming the object", Err: fmt.Errorf("%d names up to %s are taken", tries, ObjectName(i.Fingerprint, n))}
}

// Newest finds the latest incarnation of a fingerprint by a live list, in the fallback namespace
// as well: what was opened there stays there. It is nil where there is none.
func (w *Writer) Newest(ctx context.Context, namespace, fingerprint string) (*v1alpha1.RemediationRequest, error) {
	newest, err := w.newest(ctx, []string{namespace, w.o.Fallback}, []string{fingerprint})
	return newest[fingerprint], err
}

// atOnce bounds how many fingerprints one list asks for: they stand in its URL.
const atOnce = 100

// newest finds the latest incarnations of fingerprints by live lists.
func (w *Writer) newest(ctx context.Context, namespaces, fingerprints []string) (map[string]*v1alpha1.RemediationRequest, error) {
	out := map[string]*v1alpha1.RemediationRequest{}
	for _, namespace := range distinct(namespaces) {
		for some := range slices.Chunk(fingerprints, atOnce) {
			values := make([]string, len(some))
			for i, f := range some {
				values[i] = LabelValue(f)
			}
			var list v1alpha1.RemediationRequestList
			if err := w.list(ctx, &list, resource, namespace, v1alpha1.LabelFingerprint, values...); err != nil {
				return nil, classify(err, "list", "looking for the incident's object", namespace)
			}
			for k := range list.Items {
				rr := &list.Items[k]
				if old := out[rr.Spec.Fingerprint]; old == nil || rr.Spec.Incarnation > old.Spec.Incarnation {
					out[rr.Spec.Fingerprint] = rr
				}
			}
		}
	}
	return out, nil
}

// list lists the gateway's own objects of a namespace whose label has one of the values.
func (w *Writer) list(ctx context.Context, into client.ObjectList, resource, namespace, label string, values ...string) error {
	one, err := labels.NewRequirement(label, selection.In, values)
	if err != nil {
		return fmt.Errorf("selecting by %s: %w", label, err)
	}
	ours, err := labels.NewRequirement(v1alpha1.LabelManagedBy, selection.In, []string{v1alpha1.ManagedBy})
	if err != nil {
		return fmt.Errorf("selecting our own: %w", err)
	}
	selector := client.MatchingLabelsSelector{Selector: labels.NewSelector().Add(*one, *ours)}
	return w.o.Caller.Do(ctx, "list", resource, func(ctx context.Context) error {
		return w.o.Client.List(ctx, into, client.InNamespace(namespace), selector)
	})
}

// distinct leaves out what is empty or there twice.
func distinct(list []string) []string {
	return slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(list))), func(s string) bool { return s == "" })
}

// claim creates one name. taken says that the name belongs to somebody else, or to an
// incident that is over.
func (w *Writer) claim(ctx context.Context, i Incident, name string, n int) (found Found, taken bool, err error) {
	rr := i.object(name, n, w.o.Clock.Now())
	found, err = w.create(ctx, rr)
	if err != nil || found.Created {
		return found, false, err
	}
	ours := found.Object.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy && found.Object.Spec.Fingerprint == i.Fingerprint
	return found, !ours || !w.Open(found.Object), nil
}

// create makes the object, or reads the one that has its name.
func (w *Writer) create(ctx context.Context, rr *v1alpha1.RemediationRequest) (Found, error) {
	origin := rr.Namespace
	for {
		made := rr.DeepCopy()
		err := w.o.Caller.Do(ctx, "create", resource, func(ctx context.Context) error {
			made = rr.DeepCopy()
			return w.o.Client.Create(ctx, made)
		})
		switch {
		case err == nil:
			crash.Point(crash.ObjectCreated)
			return Found{Object: made, Created: true}, nil
		case apierrors.IsAlreadyExists(err):
		case reasonFor(err, "create").elsewhere() && w.o.Fallback != "" && rr.Namespace != w.o.Fallback:
			rr.Namespace = w.o.Fallback
			rr.Annotations[v1alpha1.AnnotationOrigin] = origin
			continue
		default:
			return Found{}, classify(err, "create", "creating the incident's object", rr.Namespace)
		}
		existing, err := w.Read(ctx, rr.Namespace, rr.Name)
		if err != nil {
			return Found{}, err
		}
		if existing != nil {
			return Found{Object: existing}, nil
		}
		// It was deleted in between: its name is free again.
	}
}

// Read reads an object live; nil where there is none.
func (w *Writer) Read(ctx context.Context, namespace, name string) (*v1alpha1.RemediationRequest, error) {
	var rr v1alpha1.RemediationRequest
	err := w.o.Caller.Do(ctx, "get", resource, func(ctx context.Context) error {
		return w.o.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &rr)
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, classify(err, "get", "reading "+name, namespace)
	}
	return &rr, nil
}

// Open reports whether an object's incident goes on: its window has not passed, or it is
// held because somebody still works on it.
func (w *Writer) Open(rr *v1alpha1.RemediationRequest) bool {
	if rr.DeletionTimestamp != nil {
		return false
	}
	if w.o.HoldWhileActive && !rr.Status.Phase.Terminal() {
		return true
	}
	return w.o.Clock.Now().Sub(w.LastSeen(rr)) <= w.o.Window
}

// LastSeen is the latest that is known of an object: the status lags behind by up to a second.
func (w *Writer) LastSeen(rr *v1alpha1.RemediationRequest) time.Time {
	last := OpenedAt(rr)
	if rr.Status.LastSeen != nil && rr.Status.LastSeen.After(last) {
		last = rr.Status.LastSeen.Time
	}
	if w.o.LastSeen != nil {
		if t := w.o.LastSeen(string(rr.UID)); t.After(last) {
			last = t
		}
	}
	return last
}

// GoneError says that the object of a storm was deleted by a user.
type GoneError struct {
	// Storm is the id that the windows gave it, UID its object's.
	Storm, UID string
}

// Error names the storm.
func (e *GoneError) Error() string { return "the object of storm " + e.Storm + " was deleted" }

// EnsureStorm returns the object of a storm, and makes it where there is none. The first of
// the members opens it; storm describes the group. uid is that of the object if it is known
// to have existed: one that has gone since is not made again, but a *GoneError.
//
// own are those of the members that have an open object of their own, whatever Redis says:
// it forgets, and they stay what they are. Where all have one, no storm is made.
func (w *Writer) EnsureStorm(ctx context.Context, members []Incident, id, uid string, storm v1alpha1.Storm) (found Found, own map[string]*v1alpha1.RemediationRequest, err error) {
	opener := members[0]
	fingerprints, namespaces := []string{StormFingerprint(opener.Group.Key, id)}, []string{opener.Namespace, w.o.Fallback}
	opener.Fingerprint = fingerprints[0]
	for _, m := range members {
		fingerprints, namespaces = append(fingerprints, m.Fingerprint), append(namespaces, m.Home)
	}
	newest, err := w.newest(ctx, namespaces, fingerprints)
	if err != nil {
		return Found{}, nil, err
	}
	own = map[string]*v1alpha1.RemediationRequest{}
	for _, fingerprint := range fingerprints[1:] {
		if rr := newest[fingerprint]; rr != nil && w.Open(rr) {
			own[fingerprint] = rr
		}
	}
	existing := newest[opener.Fingerprint]
	switch {
	case uid != "" && existing == nil:
		return Found{}, nil, &GoneError{Storm: id, UID: uid}
	case existing != nil && existing.DeletionTimestamp != nil:
		return Found{}, nil, &GoneError{Storm: id, UID: string(existing.UID)}
	case existing != nil:
		return Found{Object: existing}, own, nil
	case len(own) == len(members):
		return Found{}, own, nil
	}
	rr := opener.object(StormName(opener.Fingerprint), 1, w.o.Clock.Now())
	storm.ID = id
	rr.Spec.Storm = fitStorm(storm)
	found, err = w.create(ctx, rr)
	return found, own, err
}
