package alert

import (
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// Kind of a target that no label names.
const kindUnknown = "Unknown"

// targetLabel pairs a label with the kind that it names.
type targetLabel struct{ label, kind string }

// targetLabels is ordered from the most to the least specific: an alert on a pod usually
// carries its node and service too. The label "job" is the scrape job of Prometheus, so a
// Kubernetes Job is recognised by "job_name" as kube-state-metrics sets it.
func targetLabels() []targetLabel {
	return []targetLabel{
		{"pod", "Pod"},
		{"deployment", "Deployment"},
		{"statefulset", "StatefulSet"},
		{"daemonset", "DaemonSet"},
		{"job_name", "Job"},
		{"node", "Node"},
		{"service", "Service"},
	}
}

// Target recognises the Kubernetes object that the alert is about. Where no label names
// one, the kind is Unknown and the name is the alert's own.
func (a Alert) Target() v1alpha1.Target {
	namespace := a.Labels["namespace"]
	for _, t := range targetLabels() {
		name := a.Labels[t.label]
		if name == "" {
			continue
		}
		if t.kind == "Node" {
			namespace = ""
		}
		return v1alpha1.Target{Kind: t.kind, Name: name, Namespace: namespace}
	}
	return v1alpha1.Target{Kind: kindUnknown, Name: a.Name(), Namespace: namespace}
}
