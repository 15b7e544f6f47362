package remediation

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	// Fallback is the namespace for objects whose own does not exist; "" refuses them.
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
		newest, err := w.newest(ctx, i)
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
	return Found{}, &RefusedError{Detail: "naming the object", Err: fmt.Errorf("%d names up to %s are taken", tries, ObjectName(i.Fingerprint, n))}
}

// newest finds the latest incarnation of a fingerprint by a live list.
func (w *Writer) newest(ctx context.Context, i Incident) (*v1alpha1.RemediationRequest, error) {
	var list v1alpha1.RemediationRequestList
	err := w.list(ctx, &list, resource, client.InNamespace(i.Namespace),
		client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelFingerprint: labelValue(i.Fingerprint)})
	if err != nil {
		return nil, classify(err, "looking for the incident's object", i.Namespace)
	}
	var out *v1alpha1.RemediationRequest
	for k := range list.Items {
		rr := &list.Items[k]
		if rr.Spec.Fingerprint == i.Fingerprint && (out == nil || rr.Spec.Incarnation > out.Spec.Incarnation) {
			out = rr
		}
	}
	return out, nil
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
		case namespaceMissing(err) && w.o.Fallback != "" && rr.Namespace != w.o.Fallback:
			rr.Namespace = w.o.Fallback
			rr.Annotations[v1alpha1.AnnotationOrigin] = origin
			continue
		case !apierrors.IsAlreadyExists(err):
			return Found{}, classify(err, "creating the incident's object", origin)
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
		return nil, &UnavailableError{Doing: "reading " + name, Err: err}
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
	return w.o.Clock.Now().Sub(w.lastSeen(rr)) <= w.o.Window
}

// lastSeen is the latest that is known: the status lags behind by up to a second.
func (w *Writer) lastSeen(rr *v1alpha1.RemediationRequest) time.Time {
	last := openedAt(rr)
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

// EnsureStorm returns the object of a storm, and makes it where there is none. opener is
// whichever member comes first; storm describes the group.
func (w *Writer) EnsureStorm(ctx context.Context, opener Incident, id string, storm v1alpha1.Storm) (Found, error) {
	fingerprint := StormFingerprint(opener.Group.Key, id)
	opener.Fingerprint = fingerprint
	rr := opener.object(StormName(fingerprint), 1, w.o.Clock.Now())
	storm.ID = id
	rr.Spec.Storm = &storm
	existing, err := w.Read(ctx, rr.Namespace, rr.Name)
	if err != nil || existing != nil {
		return Found{Object: existing}, err
	}
	return w.create(ctx, rr)
}
