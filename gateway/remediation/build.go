package remediation

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// most is how many bytes the labels and annotations of an object may take together: below
// the API server's limit of 1.5 MiB, with room for the rest.
const most = 1 << 20

// Incident is an alert with everything that was decided about it.
type Incident struct {
	Alert       alert.Alert
	Fingerprint string
	// Rule is the version of the rule that made the fingerprint.
	Rule        string
	Group       alert.Group
	Environment v1alpha1.Environment
	Priority    v1alpha1.Priority
	// Namespace that the object goes to; of a storm's member, the storm's. Home is where an
	// object of its own would be.
	Namespace, Home string
	// Past is the incarnation that is known to be over; 0 where nothing is known.
	Past int
}

// object builds the RemediationRequest of one incident.
func (i Incident) object(name string, incarnation int, now time.Time) *v1alpha1.RemediationRequest {
	a := i.Alert
	labels, annotations := fit(a.Labels, a.Annotations)
	rr := &v1alpha1.RemediationRequest{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: i.Namespace,
			Labels: map[string]string{
				v1alpha1.LabelManagedBy:   v1alpha1.ManagedBy,
				v1alpha1.LabelFingerprint: labelValue(i.Fingerprint),
				v1alpha1.LabelGroup:       i.Group.Tag,
			},
			Annotations: map[string]string{v1alpha1.AnnotationOpenedAt: stamp(now),
				v1alpha1.AnnotationFingerprint: i.Rule},
		},
		Spec: v1alpha1.RemediationRequestSpec{
			Fingerprint: i.Fingerprint, Incarnation: int32(incarnation), AlertName: a.Name(),
			Severity: a.Severity(), Environment: i.Environment, Priority: i.Priority, Source: a.Source,
			Target: a.Target(), Labels: labels, Annotations: annotations,
			StartsAt: metav1.NewMicroTime(a.StartsAt), GeneratorURL: a.GeneratorURL,
		},
	}
	if !a.EndsAt.IsZero() {
		ends := metav1.NewMicroTime(a.EndsAt)
		rr.Spec.EndsAt = &ends
	}
	return rr
}

// stamp is a time as it stands in an annotation.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// stamped reads one, or tells what else is known where there is none that can be read.
func stamped(text string, otherwise time.Time) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t
	}
	return otherwise
}

// openedAt is when an object's incident opened.
func openedAt(rr *v1alpha1.RemediationRequest) time.Time {
	return stamped(rr.Annotations[v1alpha1.AnnotationOpenedAt], rr.CreationTimestamp.Time)
}

// member is the incident's place in a storm's page.
func (i Incident) member() v1alpha1.Member {
	labels, _ := fit(i.Alert.Labels, nil)
	return v1alpha1.Member{Fingerprint: i.Fingerprint, AlertName: i.Alert.Name(), Target: i.Alert.Target(),
		Labels: labels, StartsAt: metav1.NewMicroTime(i.Alert.StartsAt)}
}

// fit cuts values, the longest first, until all fits into most bytes. A cut value ends in
// "...". Nothing is cut in any alert of a sane size.
func fit(labels, annotations map[string]string) (l, a map[string]string) {
	l, a = maps.Clone(labels), maps.Clone(annotations)
	for size(l)+size(a) > most {
		target := l
		if longest(a) >= longest(l) {
			target = a
		}
		key := slices.MaxFunc(slices.Collect(maps.Keys(target)), func(x, y string) int { return len(target[x]) - len(target[y]) })
		value := target[key]
		keep := max(0, len(value)-max(size(l)+size(a)-most, 16))
		target[key] = value[:min(keep, len(value))] + "..."
	}
	return l, a
}

func size(m map[string]string) int {
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
	}
	return n
}

func longest(m map[string]string) int {
	n := 0
	for _, v := range m {
		n = max(n, len(v))
	}
	return n
}
