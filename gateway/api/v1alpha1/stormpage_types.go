package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PageSize is the greatest number of members in one StormPage. A page is full before that when
// its members reach 768 KiB, so that it stays below etcd's limit of 1.5 MiB an object.
const PageSize = 500

// Member is one distinct alert identity that joined a storm.
type Member struct {
	// Fingerprint of the alert; unique within its storm.
	// +kubebuilder:validation:Pattern=`^[a-f0-9]{64}$`
	Fingerprint string `json:"fingerprint"`
	// AlertName is the label "alertname".
	AlertName string `json:"alertName"`
	Target    Target `json:"target"`
	// Labels of the alert that joined, whole up to 64 KiB together; a text that was cut ends in "...".
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// StartsAt of the firing that joined.
	StartsAt metav1.MicroTime `json:"startsAt"`
}

// StormPageSpec is a numbered part of a storm's members. A page is append-only, and
// immutable once it is full.
type StormPageSpec struct {
	// Storm is the name of the RemediationRequest that owns this page.
	Storm string `json:"storm"`
	// Number of the page, from 1.
	// +kubebuilder:validation:Minimum=1
	Number int32 `json:"number"`
	// Members that this page holds, in the order in which they joined.
	// +optional
	// +kubebuilder:validation:MaxItems=500
	Members []Member `json:"members,omitempty"`
}

// StormPage keeps members of a storm.
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=sp,categories=stormproof
// +kubebuilder:printcolumn:name="Storm",type=string,JSONPath=`.spec.storm`
// +kubebuilder:printcolumn:name="Page",type=integer,JSONPath=`.spec.number`
type StormPage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec StormPageSpec `json:"spec"`
}

// StormPageList is a list of StormPage.
// +kubebuilder:object:root=true
type StormPageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []StormPage `json:"items"`
}
