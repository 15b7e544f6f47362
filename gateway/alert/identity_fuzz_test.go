package alert_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stormproof/stormproof/gateway/alert"
)

// FuzzIdentity: a fingerprint follows from the labels alone, and differs where they differ,
// whatever characters stand in them; ignored labels take no part. Target mode looks at names
// only.
func FuzzIdentity(f *testing.F) {
	f.Add("pod", "a", "node", "b", "pod", "ab", "node", "")
	f.Add("a", "b|c=\"d\"", "c", "d", "a", "b", "c", "d\x00")
	f.Add("x", "\xff", "y", "\ufffd", "x", "\ufffd", "y", "\xff")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3, v3, k4, v4 string) {
		one := alert.Alert{Labels: map[string]string{k1: v1, k2: v2}}
		two := alert.Alert{Labels: map[string]string{k3: v3, k4: v4}}
		turned := alert.Alert{Labels: map[string]string{}}
		for k, v := range one.Labels { // another order of insertion
			turned.Labels[k] = v
		}
		id := alert.Identity{Mode: alert.ByLabels}
		if id.Fingerprint(one) != id.Fingerprint(turned) {
			t.Errorf("one set of labels has two fingerprints: %q", one.Labels)
		}
		if same := id.Fingerprint(one) == id.Fingerprint(two); same != maps.Equal(one.Labels, two.Labels) {
			t.Errorf("%q and %q: same fingerprint is %t", one.Labels, two.Labels, same)
		}
		without := alert.Alert{Labels: maps.Clone(one.Labels)}
		delete(without.Labels, k1)
		if (alert.Identity{Ignored: []string{k1, k1}}).Fingerprint(one) != id.Fingerprint(without) {
			t.Errorf("an ignored label took part: %q without %q", one.Labels, k1)
		}
		target := alert.Identity{Mode: alert.ByTarget}
		if (target.Fingerprint(one) == target.Fingerprint(two)) != (one.Name() == two.Name() && one.Target() == two.Target()) {
			t.Errorf("by target: %q and %q", one.Labels, two.Labels)
		}
	})
}

// FuzzGroup: two groups are one only if their rule and the values of its labels are, whatever
// a rule, a label and a value are called.
func FuzzGroup(f *testing.F) {
	f.Add("default", "alertname", "namespace", "a", "b", "default", "alertname", "a")
	f.Add("r", "a", "b", "v", "w", "r|a=\"v\"", "b", "w")
	f.Add("r", "a", "b", "v", "w", "r", "a=\"v\"|b", "w")
	f.Fuzz(func(t *testing.T, rule1, a1, b1, v1, w1, rule2, a2, v2 string) {
		group := func(rule string, by []string, labels map[string]string) (g alert.Group, meant []string) {
			meant = []string{rule}
			for _, name := range by {
				meant = append(meant, name, labels[name])
			}
			return alert.GroupOf(alert.Alert{Labels: labels}, []alert.Rule{{Name: rule, By: by}}), meant
		}
		one, meant1 := group(rule1, []string{a1, b1}, map[string]string{a1: v1, b1: w1})
		two, meant2 := group(rule2, []string{a2}, map[string]string{a2: v2})
		three, meant3 := group(rule2, []string{a2, b1}, map[string]string{a2: v2, b1: w1})
		for _, x := range []struct {
			g     alert.Group
			meant []string
		}{{two, meant2}, {three, meant3}} {
			if same := slices.Equal(meant1, x.meant); (one.Key == x.g.Key) != same || (one.Tag == x.g.Tag) != same {
				t.Errorf("%q has key %s, %q has key %s", meant1, one.Key, x.meant, x.g.Key)
			}
		}
		if len(one.Tag) != 16 {
			t.Errorf("the tag is %q", one.Tag)
		}
	})
}
