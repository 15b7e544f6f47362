package remediation

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
)

// ofGroup is an incident of the group that these tests are about.
func ofGroup(n int, namespace string) Incident {
	i := incident()
	i.Fingerprint, i.Namespace = fmt.Sprintf("%064x", n), namespace
	i.Group = alert.Group{Key: "default|alertname=\"CPUHigh\"", Tag: "0123456789abcdef"}
	return i
}

func TestAGroupIsReadBackWhole(t *testing.T) {
	ctx, now := context.Background(), &clock.Shifted{}
	c := newFake(t, interceptor.Funcs{})
	w := newWriter(c, Options{Clock: now, HoldWhileActive: true})
	pages := NewPages(c, Caller{Timeout: time.Second}, time.Second, now)
	now.Freeze(time.Now())
	start := now.Now()
	ensure(t, w, ofGroup(1, "shop"))
	now.Advance(time.Millisecond)
	ensure(t, w, ofGroup(2, "blog"))
	other := ofGroup(3, "shop")
	other.Group.Tag = "fedcba9876543210"
	ensure(t, w, other)
	join := func(id string, members ...Incident) {
		_, err := pages.Join(ctx, id, func(ctx context.Context, all []Incident) (Found, map[string]*v1alpha1.RemediationRequest, error) {
			found, own, err := w.EnsureStorm(ctx, all, id, "", v1alpha1.Storm{Threshold: 2, WindowSeconds: 60})
			if found.Created { // the fake server gives none
				found.Object.UID = types.UID("uid-" + id)
				err = c.Update(ctx, found.Object)
			}
			return found, own, err
		}, members)
		if err != nil {
			t.Fatal(err)
		}
	}
	join("one", ofGroup(4, "shop"))
	now.Advance(2 * time.Minute)
	join("two", ofGroup(5, "shop"))
	now.Advance(50 * time.Second)
	join("two", ofGroup(6, "shop"))

	got, err := w.Group(ctx, []string{"shop", "blog", "", "shop"}, ofGroup(1, "").Group.Tag)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, o := range got.Openings {
		seen = append(seen, fmt.Sprint("opened ", o.Fingerprint[63:], " ", got.Newest[o.Fingerprint].Namespace, " ", o.At.Sub(start)))
	}
	for _, s := range got.Storms {
		seen = append(seen, fmt.Sprint("storm ", s.ID, " ", len(s.Members)))
	}
	if diff := cmp.Diff([]string{"opened 2 blog 1ms", "opened 1 shop 0s", "storm two 2", "storm one 1"}, seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s := got.Joinable(now.Now(), time.Minute); s == nil || s.ID != "two" {
		t.Errorf("joinable is %+v, want storm two", s)
	}
	if s := got.Joinable(now.Now().Add(61*time.Second), time.Minute); s != nil {
		t.Errorf("a minute later %s is joinable, want none", s.ID)
	}
	if s := got.Of(ofGroup(4, "").Fingerprint); s == nil || s.ID != "one" {
		t.Errorf("4 is a member of %+v, want storm one", s)
	}
	if s := got.Of(ofGroup(1, "").Fingerprint); s != nil {
		t.Errorf("1 has an object of its own, and is said to be a member of %s", s.ID)
	}
}

// TestPagesOfADeletedStormAreNotThoseOfTheNext: where nobody collects garbage they stay.
func TestPagesOfADeletedStormAreNotThoseOfTheNext(t *testing.T) {
	ctx := context.Background()
	c := newFake(t, interceptor.Funcs{})
	pages := NewPages(c, Caller{Timeout: time.Second}, time.Second, clock.Real{})
	for _, uid := range []types.UID{"old", "new", "new"} {
		storm := Found{Object: existing("storm-x", func(r *v1alpha1.RemediationRequest) { r.UID = uid })}
		if _, err := pages.Join(ctx, "s", storm.ensure, []Incident{incident()}); err != nil {
			t.Fatal(err)
		}
	}
	var list v1alpha1.StormPageList
	if err := c.List(ctx, &list); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list.Items {
		got = append(got, fmt.Sprint(p.Name, " of ", p.OwnerReferences[0].UID, ": ", len(p.Spec.Members)))
	}
	if diff := cmp.Diff([]string{"storm-x-p0001 of old: 1", "storm-x-p0002 of new: 1"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
