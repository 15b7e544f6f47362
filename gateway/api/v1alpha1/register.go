package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every type here.
var GroupVersion = schema.GroupVersion{Group: "remediation.stormproof.io", Version: "v1alpha1"}

// Labels that the gateway sets on its objects, so that live lists by selector answer
// "which objects belong to this fingerprint, group or storm".
const (
	// LabelManagedBy is always "stormproof-gateway".
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "stormproof-gateway"
	// LabelFingerprint holds the first 63 hex digits of the fingerprint: a label value
	// cannot hold all 64. The whole one is in spec.fingerprint.
	LabelFingerprint = "remediation.stormproof.io/fingerprint"
	// LabelGroup holds the first 16 hex digits of the SHA-256 of the storm group key.
	LabelGroup = "remediation.stormproof.io/group"
	// LabelStorm is on pages: the name of the storm's RemediationRequest.
	LabelStorm = "remediation.stormproof.io/storm"
	// AnnotationOpenedAt is when the incident opened by the gateway's clock, RFC 3339.
	AnnotationOpenedAt = "remediation.stormproof.io/opened-at"
	// AnnotationJoinedAt is on pages: when the page's newest member joined by the gateway's
	// clock, RFC 3339.
	AnnotationJoinedAt = "remediation.stormproof.io/joined-at"
	// AnnotationOrigin is the namespace that an object in the fallback namespace was meant for.
	AnnotationOrigin = "remediation.stormproof.io/origin-namespace"
	// AnnotationTruncated names the parts of the alert that were too large for an object and were cut, with
	// the bytes that they had. A text that was cut ends in "...".
	AnnotationTruncated = "remediation.stormproof.io/truncated"
	// AnnotationFingerprint is the version of the rule that made the fingerprint.
	AnnotationFingerprint = "remediation.stormproof.io/fingerprint-version"
)

// The condition of an incident whose group was not delivered whole.
const (
	ConditionComplete = "Complete"
	ReasonTruncated   = "TruncatedBySender"
)

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&RemediationRequest{}, &RemediationRequestList{},
		&StormPage{}, &StormPageList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
