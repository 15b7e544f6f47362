package remediation

import (
	"encoding/json"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// FuzzNames: every name is a DNS-1123 label, and two incidents, storms or pages share one
// only if they are one.
func FuzzNames(f *testing.F) {
	f.Add("a", "b", uint16(1), "ab", "", uint16(11))
	f.Add("default|alertname=\"X\"", "1a2b3c4d", uint16(9), "default|alertname=\"X\"1", "a2b3c4d", uint16(99))
	f.Fuzz(func(t *testing.T, group1, id1 string, n1 uint16, group2, id2 string, n2 uint16) {
		names := func(group, id string, n uint16) []string {
			storm := StormName(StormFingerprint(group, id))
			return []string{ObjectName(alert.Digest(group, id), int(n)), storm, PageName(storm, int32(n))}
		}
		one, two := names(group1, id1, n1), names(group2, id2, n2)
		sameStorm := group1 == group2 && id1 == id2
		for i, same := range []bool{sameStorm && n1 == n2, sameStorm, sameStorm && n1 == n2} {
			if (one[i] == two[i]) != same {
				t.Errorf("%q %q %d is %s, %q %q %d is %s", group1, id1, n1, one[i], group2, id2, n2, two[i])
			}
			if bad := validation.IsDNS1123Label(one[i]); len(bad) > 0 {
				t.Errorf("%s: %v", one[i], bad)
			}
			for k := range two {
				if k != i && one[i] == two[k] {
					t.Errorf("%s is the name of two kinds of things", one[i])
				}
			}
		}
		if bad := validation.IsValidLabelValue(LabelValue(alert.Digest(group1, id1))); len(bad) > 0 {
			t.Errorf("a fingerprint's label: %v", bad)
		}
	})
}

// FuzzEncoding: whatever an alert holds, its object and its place in a page are written and
// read again as they were, and stay below the API server's limit.
func FuzzEncoding(f *testing.F) {
	f.Add("alertname", "X", "pod", "a", uint32(10), int64(0))
	f.Add("alertname", "\u00fc\u4e2d", "\x00", "\x1f\u2028", uint32(0), int64(-62135596800))
	f.Add("a", "<>&", "summary", "long", uint32(3<<20), int64(253402300799))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string, size uint32, seconds int64) {
		for _, s := range []*string{&k1, &v1, &k2, &v2} { // a parsed alert holds valid UTF-8
			text, err := json.Marshal(*s)
			if err != nil || json.Unmarshal(text, s) != nil {
				t.Fatal(err)
			}
		}
		long := make([]byte, size%(4<<20))
		for i := range long {
			long[i] = 'x'
		}
		start := time.Unix(seconds%253402300799, 0).UTC()
		i := Incident{Alert: alert.Alert{Labels: map[string]string{k1: v1, k2: v2}, Annotations: map[string]string{k1: string(long), k2: v1}, StartsAt: start},
			Fingerprint: alert.Digest(k1, v1), Namespace: "default"}
		rr := i.object(ObjectName(i.Fingerprint, 1), 1, start)
		var back v1alpha1.RemediationRequest
		check(t, rr, &back)
		page := v1alpha1.StormPage{Spec: v1alpha1.StormPageSpec{Members: []v1alpha1.Member{i.member()}}}
		var backPage v1alpha1.StormPage
		check(t, page, &backPage)
		if len(long)+len(k1+v1+k2+v2) < 64<<10 { // nothing is cut at such a size
			if got := back.Spec.Labels; got[k2] != v2 || back.Spec.Annotations[k2] != v1 && k1 != k2 {
				t.Errorf("written %q, read %q", i.Alert.Labels, got)
			}
			if m := backPage.Spec.Members[0]; m.Labels[k2] != v2 || m.Fingerprint != i.Fingerprint {
				t.Errorf("written %q, read %q", i.Alert.Labels, m.Labels)
			}
		}
	})
}

// check writes and reads an object, and looks at its size.
func check(t *testing.T, o, back any) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	if again, err := json.Marshal(back); err != nil || string(again) != string(text) {
		t.Errorf("written %.300s, read %.300s: %v", text, again, err)
	}
	if len(text) > 3<<19 {
		t.Errorf("%d bytes are more than etcd takes", len(text))
	}
}
