// Package v1alpha1 is the shape of what Stormproof writes into Kubernetes, and the only
// package that gateway and harness share.
//
// Two kinds exist. A RemediationRequest is one incident: either a single alert identity
// (its fingerprint) or a storm (spec.storm is set). A StormPage is a durable list of up to
// 500 members of a storm, owned by the storm's RemediationRequest, so that no single etcd
// object bounds how large a storm can grow.
//
// Names are deterministic (see package gateway/remediation), spec is written once at
// creation, and everything that changes lives in status.
//
// +kubebuilder:object:generate=true
// +groupName=remediation.stormproof.io
package v1alpha1
