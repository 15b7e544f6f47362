package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Phase says how far the remediation of an incident is. The gateway only ever writes
// Pending; whoever remediates moves it on.
// +kubebuilder:validation:Enum=Pending;Active;Completed;Failed
type Phase string

// The phases. Completed and Failed are terminal: they let the next firing after the
// deduplication window open a new incident.
const (
	PhasePending   Phase = "Pending"
	PhaseActive    Phase = "Active"
	PhaseCompleted Phase = "Completed"
	PhaseFailed    Phase = "Failed"
)

// Terminal reports whether no more work is expected on the incident.
func (p Phase) Terminal() bool { return p == PhaseCompleted || p == PhaseFailed }

// Environment is where the target runs.
// +kubebuilder:validation:Enum=production;staging;development;testing;unknown
type Environment string

// Priority is how urgent the incident is; P0 is the most urgent.
// +kubebuilder:validation:Enum=P0;P1;P2;P3
type Priority string

// Target is the Kubernetes object that the alert is about.
type Target struct {
	// Kind is Pod, Deployment, StatefulSet, DaemonSet, Job, Node, Service or Unknown.
	// +kubebuilder:validation:Enum=Pod;Deployment;StatefulSet;DaemonSet;Job;Node;Service;Unknown
	Kind string `json:"kind"`
	// Name of the object; the alert's name where the kind is Unknown.
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
	// Namespace is empty for cluster-scoped targets such as nodes.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// Storm describes the group of alerts that a storm RemediationRequest stands for.
type Storm struct {
	// ID tells the storms of one group apart; the object's name follows from both.
	// +optional
	ID string `json:"id,omitempty"`
	// GroupKey is the readable key: rule name and label values.
	GroupKey string `json:"groupKey"`
	// GroupLabels are the labels that all members share by the rule's `by` list.
	// +optional
	GroupLabels map[string]string `json:"groupLabels,omitempty"`
	// Threshold is the number of distinct fingerprints in one window that opened the storm.
	// +kubebuilder:validation:Minimum=1
	Threshold int32 `json:"threshold"`
	// WindowSeconds is the quiet time after which the storm is closed.
	// +kubebuilder:validation:Minimum=1
	WindowSeconds int64 `json:"windowSeconds"`
}

// RemediationRequestSpec is written once, when the incident opens.
type RemediationRequestSpec struct {
	// Fingerprint is the lower-case hex SHA-256 of the alert's identity labels; for a
	// storm, of its group key and opening time.
	// +kubebuilder:validation:Pattern=`^[a-f0-9]{64}$`
	Fingerprint string `json:"fingerprint"`
	// Incarnation counts the incidents of one fingerprint, from 1.
	// +kubebuilder:validation:Minimum=1
	Incarnation int32 `json:"incarnation"`
	// AlertName is the label "alertname", whole up to 16 KiB.
	// +kubebuilder:validation:MinLength=1
	AlertName string `json:"alertName"`
	// Severity as the alert says it; "unknown" where it does not.
	Severity    string      `json:"severity"`
	Environment Environment `json:"environment"`
	Priority    Priority    `json:"priority"`
	// Source is the adapter that the alert came through: alertmanager or kubernetes-event.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Source string `json:"source"`
	Target Target `json:"target"`
	// Labels of the alert that opened the incident, whole up to 256 KiB together; the longest
	// are cut first, and an annotation of this object says so.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations of the alert that opened the incident, whole up to 512 KiB together.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// StartsAt is when the alert that opened the incident began to fire.
	StartsAt metav1.MicroTime `json:"startsAt"`
	// EndsAt is what the sender said, if anything.
	// +optional
	EndsAt *metav1.MicroTime `json:"endsAt,omitempty"`
	// GeneratorURL links back to the rule's expression.
	// +optional
	GeneratorURL string `json:"generatorURL,omitempty"`
	// Storm is set only on a RemediationRequest that stands for a storm.
	// +optional
	Storm *Storm `json:"storm,omitempty"`
}

// RemediationRequestStatus is what is known since the incident opened.
type RemediationRequestStatus struct {
	// +optional
	Phase Phase `json:"phase,omitempty"`
	// Occurrences counts distinct firing episodes (fingerprint + startsAt) acknowledged;
	// for a storm, over all members.
	// +optional
	Occurrences int64 `json:"occurrences,omitempty"`
	// Deliveries counts acknowledged deliveries, repeats included.
	// +optional
	Deliveries int64 `json:"deliveries,omitempty"`
	// Renotifications counts those of the deliveries that brought no new firing episode, as when
	// Alertmanager repeats a group; for a storm, over all members.
	// +optional
	Renotifications int64 `json:"renotifications,omitempty"`
	// Members counts the storm's members; 0 where spec.storm is not set.
	// +optional
	Members int64 `json:"members,omitempty"`
	// LastSeen is when the newest acknowledged firing delivery arrived.
	// +optional
	LastSeen *metav1.MicroTime `json:"lastSeen,omitempty"`
	// NewestStartsAt is the newest startsAt among the counted occurrences: an older one has
	// been counted already, even where the gateway's memory was lost since.
	// +optional
	NewestStartsAt *metav1.MicroTime `json:"newestStartsAt,omitempty"`
	// ResolvedAt is the endsAt of the newest resolved notification.
	// +optional
	ResolvedAt *metav1.MicroTime `json:"resolvedAt,omitempty"`
	// TruncatedAlerts is how many alerts the sender left out of a delivery that this incident
	// came in, the most of all deliveries: so many alerts of its group were never seen.
	// +optional
	TruncatedAlerts int64 `json:"truncatedAlerts,omitempty"`
	// Conditions follow the Kubernetes convention. Complete is False where the sender left
	// alerts out; the gateway sets no other.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// RemediationRequest is one incident that asks to be remediated.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rr,categories=stormproof
// +kubebuilder:printcolumn:name="Alert",type=string,JSONPath=`.spec.alertName`
// +kubebuilder:printcolumn:name="Priority",type=string,JSONPath=`.spec.priority`
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Occurrences",type=integer,JSONPath=`.status.occurrences`
// +kubebuilder:printcolumn:name="Members",type=integer,JSONPath=`.status.members`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type RemediationRequest struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   RemediationRequestSpec   `json:"spec"`
	Status RemediationRequestStatus `json:"status,omitempty"`
}

// RemediationRequestList is a list of RemediationRequest.
// +kubebuilder:object:root=true
type RemediationRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RemediationRequest `json:"items"`
}
