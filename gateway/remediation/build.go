package remediation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

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
	var lacks cuts
	rr := &v1alpha1.RemediationRequest{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: i.Namespace,
			Labels: map[string]string{
				v1alpha1.LabelManagedBy:   v1alpha1.ManagedBy,
				v1alpha1.LabelFingerprint: LabelValue(i.Fingerprint),
				v1alpha1.LabelGroup:       i.Group.Tag,
			},
			Annotations: map[string]string{v1alpha1.AnnotationOpenedAt: stamp(now),
				v1alpha1.AnnotationFingerprint: i.Rule},
		},
		Spec: v1alpha1.RemediationRequestSpec{
			Fingerprint: i.Fingerprint, Incarnation: int32(incarnation), AlertName: lacks.text("alertName", a.Name()),
			Severity: lacks.text("severity", a.Severity()), Environment: i.Environment, Priority: i.Priority, Source: a.Source,
			Target: lacks.target(a.Target()), Labels: lacks.fit("labels", a.Labels, mostLabels),
			Annotations: lacks.fit("annotations", a.Annotations, mostAnnotations),
			StartsAt:    metav1.NewMicroTime(a.StartsAt), GeneratorURL: lacks.text("generatorURL", a.GeneratorURL),
		},
	}
	if !a.EndsAt.IsZero() {
		ends := metav1.NewMicroTime(a.EndsAt)
		rr.Spec.EndsAt = &ends
	}
	lacks.mark(rr)
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

// OpenedAt is when an object's incident opened.
func OpenedAt(rr *v1alpha1.RemediationRequest) time.Time {
	return stamped(rr.Annotations[v1alpha1.AnnotationOpenedAt], rr.CreationTimestamp.Time)
}

// member is the incident's place in a storm's page.
func (i Incident) member() v1alpha1.Member {
	var lacks cuts // what ends in dots says it itself
	return v1alpha1.Member{Fingerprint: i.Fingerprint, AlertName: lacks.text("alertName", i.Alert.Name()), Target: lacks.target(i.Alert.Target()),
		Labels: lacks.fit("labels", i.Alert.Labels, mostMemberLabels), StartsAt: metav1.NewMicroTime(i.Alert.StartsAt)}
}

// fitStorm bounds what a storm says of its group; the alert's own labels tell what was cut.
func fitStorm(s v1alpha1.Storm) *v1alpha1.Storm {
	var lacks cuts
	s.GroupKey, s.GroupLabels = lacks.text("groupKey", s.GroupKey), lacks.fit("groupLabels", s.GroupLabels, mostMemberLabels)
	return &s
}

// target bounds the texts of a target.
func (c *cuts) target(t v1alpha1.Target) v1alpha1.Target {
	t.Name, t.Namespace = c.text("target.name", t.Name), c.text("target.namespace", t.Namespace)
	return t
}
