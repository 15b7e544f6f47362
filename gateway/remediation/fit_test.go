package remediation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
)

// mostObject is less than etcd's limit, with room for what the API server adds.
const mostObject = 1 << 20

func TestASaneAlertIsKeptWhole(t *testing.T) {
	i := incident()
	i.Alert.Labels["alertname"] = strings.Repeat("n", 1000)
	i.Alert.Annotations = map[string]string{"description": strings.Repeat("d", 100<<10)}
	rr := i.object("rr", 1, time.Now())
	if !maps.Equal(rr.Spec.Labels, i.Alert.Labels) || !maps.Equal(rr.Spec.Annotations, i.Alert.Annotations) || len(rr.Spec.AlertName) != 1000 {
		t.Error("something was cut")
	}
	if mark, ok := rr.Annotations[v1alpha1.AnnotationTruncated]; ok {
		t.Errorf("the object says that it lacks %q", mark)
	}
}

func TestWhatIsTooLargeIsCutAndNamed(t *testing.T) {
	i := incident()
	i.Alert.Annotations = map[string]string{"big": strings.Repeat("x", 1<<20), "small": "kept"}
	rr := i.object("rr", 1, time.Now())
	if got := rr.Spec.Annotations; len(got["big"]) >= mostAnnotations || len(got["big"]) < mostAnnotations-100 || !strings.HasSuffix(got["big"], "xxx...") || got["small"] != "kept" {
		t.Errorf("big has %d bytes, small is %q", len(got["big"]), got["small"])
	}
	if got, want := rr.Annotations[v1alpha1.AnnotationTruncated], "annotations.big (1048576 bytes)"; got != want {
		t.Errorf("the object says %q, want %q", got, want)
	}
	if !maps.Equal(rr.Spec.Labels, i.Alert.Labels) {
		t.Error("labels were cut, although they were small")
	}
}

// TestNoAlertIsTooLargeForAnObject draws texts that JSON makes larger than they are, and names
// of every length.
func TestNoAlertIsTooLargeForAnObject(t *testing.T) {
	text := func(t *rapid.T, name string) string {
		piece := rapid.SampledFrom([]string{"x", "<", "\x00", "é", "\xff", "\u2028", "\U0001f600"}).Draw(t, name)
		return strings.Repeat(piece, rapid.SampledFrom([]int{0, 1, 3, 100, 10 << 10, 300 << 10}).Draw(t, name+" times"))
	}
	table := func(t *rapid.T, name string) map[string]string {
		out := map[string]string{}
		for n := range rapid.IntRange(0, 4).Draw(t, name) {
			out[fmt.Sprint(n, text(t, "key"))] = text(t, "value")
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		i := incident()
		i.Alert.Labels, i.Alert.Annotations, i.Alert.GeneratorURL = table(t, "labels"), table(t, "annotations"), text(t, "url")
		i.Alert.Labels["alertname"], i.Alert.Labels["pod"], i.Alert.Labels["severity"] = "A"+text(t, "alertname"), text(t, "pod"), text(t, "severity")
		rr := i.object("rr", 1, time.Now())
		rr.Spec.Storm = fitStorm(v1alpha1.Storm{GroupKey: text(t, "group"), GroupLabels: table(t, "group labels")})
		if b, err := json.Marshal(rr); err != nil || len(b) > mostObject {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		again := i.object("rr", 1, time.Now())
		if !maps.Equal(again.Spec.Labels, rr.Spec.Labels) || !maps.Equal(again.Spec.Annotations, rr.Spec.Annotations) {
			t.Fatal("the same alert was cut in two ways")
		}
		for k, v := range rr.Spec.Annotations {
			if v != i.Alert.Annotations[k] && utf8.ValidString(i.Alert.Annotations[k]) && !utf8.ValidString(v) {
				t.Fatalf("%.20q was cut inside of a character", k)
			}
		}
		if whole := maps.Equal(rr.Spec.Annotations, i.Alert.Annotations) && maps.Equal(rr.Spec.Labels, i.Alert.Labels); !whole && rr.Annotations[v1alpha1.AnnotationTruncated] == "" {
			t.Fatal("something was cut and the object does not say so")
		}
		if n := len(rr.Annotations[v1alpha1.AnnotationTruncated]); n > 4<<10 {
			t.Fatalf("the object says it in %d bytes", n)
		}
	})
}

// large is a member's incident whose labels take about so many bytes.
func large(n, bytes int) Incident {
	i := incident()
	i.Fingerprint = fmt.Sprintf("%064x", n)
	i.Alert.Labels = map[string]string{"alertname": "Big", "pod": fmt.Sprint(n), "text": strings.Repeat("x", bytes)}
	return i
}

func TestAPageIsFullByBytesToo(t *testing.T) {
	c := newFake(t, interceptor.Funcs{})
	storm := Found{Object: existing("storm-x", func(r *v1alpha1.RemediationRequest) { r.UID = "storm" })}
	// Two processes take turns; each believes that its own picture of the pages is the newest.
	one, two := NewPages(c, Caller{Timeout: time.Second}, time.Minute, clock.Real{}), NewPages(c, Caller{Timeout: time.Second}, time.Minute, clock.Real{})
	for n := range 60 {
		pages := one
		if n%2 == 1 {
			pages = two
		}
		i := large(n/2, []int{100 << 10, 30 << 10, 10}[n%3]) // everyone comes twice
		if _, err := pages.Join(t.Context(), "s", func(context.Context, []Incident) (Found, map[string]*v1alpha1.RemediationRequest, error) {
			return storm, nil, nil
		}, []Incident{i}); err != nil {
			t.Fatal(err)
		}
	}
	var list v1alpha1.StormPageList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for i, p := range list.Items {
		if b, err := json.Marshal(p); err != nil || len(b) > mostObject {
			t.Errorf("page %d has %d bytes, %v", p.Spec.Number, len(b), err)
		}
		if last := i == len(list.Items)-1; full(p.Spec.Members) == last {
			t.Errorf("page %d of %d is full: %t", p.Spec.Number, len(list.Items), !last)
		}
		for _, m := range p.Spec.Members {
			seen[m.Fingerprint]++
		}
	}
	for f, n := range seen {
		if n != 1 {
			t.Errorf("%s stands %d times", f, n)
		}
	}
	if len(seen) != 30 || len(list.Items) < 2 {
		t.Errorf("%d members on %d pages, want 30 on several", len(seen), len(list.Items))
	}
}
