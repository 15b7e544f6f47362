// Package owned marks what the harness makes in a cluster, so that what an aborted run has
// left can be told from what somebody still uses: by a label of our own and a time, never
// by a name.
package owned

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// Label holds the id of the run that made an object.
	Label = "stormproof.dev/run"
	// Until is the annotation with the time (RFC 3339) after which the run is surely over.
	Until = "stormproof.dev/until"
)

// unmarked is how long an object without the annotation is left alone.
const unmarked = 24 * time.Hour

// Mark writes both on an object.
func Mark(o metav1.Object, run string, until time.Time) {
	labels, annotations := o.GetLabels(), o.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[Label] = run
	annotations[Until] = until.UTC().Format(time.RFC3339)
	o.SetLabels(labels)
	o.SetAnnotations(annotations)
}

// Inherit writes on an object what is written on another.
func Inherit(o, from metav1.Object) {
	until, err := time.Parse(time.RFC3339, from.GetAnnotations()[Until])
	if run := from.GetLabels()[Label]; run != "" && err == nil {
		Mark(o, run, until)
	}
}

// Over reports whether an object was made by a run that is over, and is not yet going.
func Over(o metav1.Object, now time.Time) bool {
	if o.GetLabels()[Label] == "" || o.GetDeletionTimestamp() != nil {
		return false
	}
	until, err := time.Parse(time.RFC3339, o.GetAnnotations()[Until])
	if err != nil {
		until = o.GetCreationTimestamp().Add(unmarked)
	}
	return now.After(until)
}
