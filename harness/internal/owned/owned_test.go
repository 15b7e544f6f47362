package owned

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOnlyWhatARunMadeAndOutlivedIsOver(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	marked := func(until time.Time) *corev1.Namespace {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "sp-x", Labels: map[string]string{"a": "b"}}}
		Mark(ns, "run", until)
		return ns
	}
	going := marked(now.Add(-time.Hour))
	going.DeletionTimestamp = &metav1.Time{Time: now}
	old, young, garbled := marked(now), marked(now), marked(now)
	delete(old.Annotations, Until)
	old.CreationTimestamp = metav1.NewTime(now.Add(-25 * time.Hour))
	delete(young.Annotations, Until)
	young.CreationTimestamp = metav1.NewTime(now.Add(-23 * time.Hour))
	garbled.Annotations[Until] = "soon"
	garbled.CreationTimestamp = metav1.NewTime(now)
	foreign := marked(now.Add(-time.Hour))
	delete(foreign.Labels, Label)
	for name, tc := range map[string]struct {
		object *corev1.Namespace
		want   bool
	}{
		"its time is past":                  {marked(now.Add(-time.Second)), true},
		"its time is to come":               {marked(now.Add(time.Second)), false},
		"it goes already":                   {going, false},
		"it has our name but not our label": {foreign, false},
		"without a time, after a day":       {old, true},
		"without a time, within a day":      {young, false},
		"with a time that cannot be read":   {garbled, false},
	} {
		if got := Over(tc.object, now); got != tc.want {
			t.Errorf("%s: over = %t, want %t", name, got, tc.want)
		}
	}
}
