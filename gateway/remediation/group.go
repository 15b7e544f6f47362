package remediation

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// GroupState is what the cluster knows of one storm group: enough to decide without Redis.
type GroupState struct {
	// Newest is the latest incarnation of each fingerprint that has an object of its own,
	// open or over; see Writer.Open.
	Newest map[string]*v1alpha1.RemediationRequest
	// Openings are the objects that took a slot of the group, the newest first. One that was
	// deleted is not among them.
	Openings []Opening
	// Storms are those whose incidents go on, the newest first.
	Storms []StormState
}

// Opening is an object of its own, and when it opened.
type Opening struct {
	Fingerprint string
	At          time.Time
}

// StormState is a storm and who is in it.
type StormState struct {
	Object *v1alpha1.RemediationRequest
	// ID is the one that the windows gave it.
	ID string
	// LastJoin is when its newest member joined: a window later it is closed to new ones.
	LastJoin time.Time
	// Members are the fingerprints in its pages, each with the startsAt that it joined with.
	Members map[string]time.Time
}

// Joinable is the storm that new members join, nil if there is none: its newest member
// joined within the window before now.
func (g GroupState) Joinable(now time.Time, window time.Duration) *StormState {
	if len(g.Storms) == 0 || now.Sub(g.Storms[0].LastJoin) > window {
		return nil
	}
	return &g.Storms[0]
}

// Of is the storm that a fingerprint is a member of, nil if it is of none.
func (g GroupState) Of(fingerprint string) *StormState {
	for i := range g.Storms {
		if _, member := g.Storms[i].Members[fingerprint]; member {
			return &g.Storms[i]
		}
	}
	return nil
}

// Group reads live what the cluster knows of a storm group: one list a namespace, and one
// more where a storm goes on. Empty and repeated namespaces are left out. A group by labels
// without "namespace" may span others than the ones that a batch names: what it opened
// there is not seen, and its bound holds for the namespaces that are.
func (w *Writer) Group(ctx context.Context, namespaces []string, tag string) (GroupState, error) {
	state := GroupState{Newest: map[string]*v1alpha1.RemediationRequest{}}
	for _, namespace := range distinct(namespaces) {
		var list v1alpha1.RemediationRequestList
		if err := w.list(ctx, &list, resource, namespace, v1alpha1.LabelGroup, tag); err != nil {
			return GroupState{}, classify(err, "list", "reading the storm group's objects", namespace)
		}
		var storms []*v1alpha1.RemediationRequest
		for i := range list.Items {
			if rr := &list.Items[i]; rr.Spec.Storm == nil {
				state.add(rr)
			} else if rr.Spec.Storm.ID != "" && w.Open(rr) {
				storms = append(storms, rr)
			}
		}
		found, err := w.storms(ctx, namespace, storms)
		if err != nil {
			return GroupState{}, err
		}
		state.Storms = append(state.Storms, found...)
	}
	slices.SortStableFunc(state.Openings, func(a, b Opening) int { return b.At.Compare(a.At) })
	slices.SortStableFunc(state.Storms, func(a, b StormState) int { return b.LastJoin.Compare(a.LastJoin) })
	return state, nil
}

func (g *GroupState) add(rr *v1alpha1.RemediationRequest) {
	g.Openings = append(g.Openings, Opening{Fingerprint: rr.Spec.Fingerprint, At: OpenedAt(rr)})
	if old := g.Newest[rr.Spec.Fingerprint]; old == nil || rr.Spec.Incarnation > old.Spec.Incarnation {
		g.Newest[rr.Spec.Fingerprint] = rr
	}
}

// storms reads the pages of storms of one namespace.
func (w *Writer) storms(ctx context.Context, namespace string, objects []*v1alpha1.RemediationRequest) ([]StormState, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	out, names := make([]StormState, len(objects)), make([]string, len(objects))
	for i, rr := range objects {
		out[i] = StormState{Object: rr, ID: rr.Spec.Storm.ID, LastJoin: OpenedAt(rr), Members: map[string]time.Time{}}
		names[i] = rr.Name
	}
	var pages v1alpha1.StormPageList
	if err := w.list(ctx, &pages, "stormpages", namespace, v1alpha1.LabelStorm, names...); err != nil {
		return nil, classify(err, "list", "reading the storms' members", namespace)
	}
	for i := range out {
		for k := range pages.Items {
			if page := &pages.Items[k]; OwnedBy(page, out[i].Object) {
				out[i].take(page)
			}
		}
	}
	return out, nil
}

func (s *StormState) take(page *v1alpha1.StormPage) {
	for _, m := range page.Spec.Members {
		s.Members[m.Fingerprint] = m.StartsAt.Time
	}
	if at := stamped(page.Annotations[v1alpha1.AnnotationJoinedAt], page.CreationTimestamp.Time); at.After(s.LastJoin) {
		s.LastJoin = at
	}
}

// OwnedBy tells a storm's pages from those that a deleted one of the same name left.
func OwnedBy(page *v1alpha1.StormPage, storm *v1alpha1.RemediationRequest) bool {
	return slices.ContainsFunc(page.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == storm.UID })
}
