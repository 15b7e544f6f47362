package remediation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
)

var fingerprint = strings.Repeat("ab", 32)

// newFake is a client for error paths; how a real API server behaves is the catalogue's part.
func newFake(t *testing.T, hooks interceptor.Funcs, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.RemediationRequest{}).WithInterceptorFuncs(hooks).Build()
}

func newWriter(c client.Client, o Options) *Writer {
	o.Client, o.Caller = c, Caller{Timeout: time.Second, Jitter: func() float64 { return 0 }}
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Window == 0 {
		o.Window = 5 * time.Minute
	}
	return NewWriter(o)
}

// ensure is an Ensure that always finds the same storm.
func (f Found) ensure(context.Context, []Incident) (Found, map[string]*v1alpha1.RemediationRequest, error) {
	return f, nil, nil
}

func incident() Incident {
	return Incident{Alert: alert.Alert{Source: alert.Alertmanager{}.Name(), Labels: map[string]string{"alertname": "CPUHigh", "pod": "a"},
		StartsAt: time.Now()}, Fingerprint: fingerprint, Environment: "unknown", Priority: "P2", Namespace: "shop"}
}

func existing(name string, change func(*v1alpha1.RemediationRequest)) *v1alpha1.RemediationRequest {
	rr := incident().object(name, 1, time.Now())
	rr.UID = "uid-1"
	change(rr)
	return rr
}

func ensure(t *testing.T, w *Writer, i Incident) Found {
	t.Helper()
	found, err := w.Ensure(context.Background(), i)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEnsureFollowsTheIncarnationChain(t *testing.T) {
	past := metav1.NewMicroTime(time.Now().Add(-time.Hour))
	for name, c := range map[string]struct {
		object  *v1alpha1.RemediationRequest
		hold    bool
		created bool
		n       int32
	}{
		"nothing there: the first incarnation":        {nil, true, true, 1},
		"open: the same object":                       {existing(ObjectName(fingerprint, 1), func(*v1alpha1.RemediationRequest) {}), true, false, 1},
		"terminal inside the window: the same object": {existing(ObjectName(fingerprint, 1), func(r *v1alpha1.RemediationRequest) { r.Status.Phase = v1alpha1.PhaseCompleted }), true, false, 1},
		"terminal and window past: the next": {existing(ObjectName(fingerprint, 1), func(r *v1alpha1.RemediationRequest) {
			r.Status.Phase, r.Annotations, r.CreationTimestamp = v1alpha1.PhaseFailed, nil, metav1.NewTime(past.Time)
		}), true, true, 2},
		"active and window past, held: the same": {existing(ObjectName(fingerprint, 1), func(r *v1alpha1.RemediationRequest) {
			r.Annotations, r.CreationTimestamp = nil, metav1.NewTime(past.Time)
		}), true, false, 1},
		"active and window past, not held: the next": {existing(ObjectName(fingerprint, 1), func(r *v1alpha1.RemediationRequest) {
			r.Annotations, r.CreationTimestamp = nil, metav1.NewTime(past.Time)
		}), false, true, 2},
		"a foreign object has the name: step over it": {existing(ObjectName(fingerprint, 1), func(r *v1alpha1.RemediationRequest) { r.Labels = nil }), true, true, 2},
		"another fingerprint has the name: step over": {existing(ObjectName(fingerprint, 1), func(r *v1alpha1.RemediationRequest) { r.Spec.Fingerprint = strings.Repeat("cd", 32) }), true, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if c.object != nil {
				objects = append(objects, c.object)
			}
			found := ensure(t, newWriter(newFake(t, interceptor.Funcs{}, objects...), Options{HoldWhileActive: c.hold}), incident())
			if found.Created != c.created || found.Object.Spec.Incarnation != c.n {
				t.Errorf("created %v, incarnation %d; want %v, %d", found.Created, found.Object.Spec.Incarnation, c.created, c.n)
			}
		})
	}
}

func TestACreateThatWasAppliedWithoutAReplyEndsAtOneObject(t *testing.T) {
	lost := false
	c := newFake(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		if err := c.Create(ctx, o, opts...); err != nil || lost {
			return err
		}
		lost = true
		return apierrors.NewTimeoutError("the reply was lost", 0)
	}})
	found := ensure(t, newWriter(c, Options{HoldWhileActive: true}), incident())
	var list v1alpha1.RemediationRequestList
	if err := c.List(context.Background(), &list); err != nil || len(list.Items) != 1 || found.Object.Name != list.Items[0].Name {
		t.Errorf("want one object named %s, got %v (%v)", found.Object.Name, list.Items, err)
	}
}

func TestCallsAreTriedAgainOnlyWhereThatHelps(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		tries int
	}{
		"throttled":   {apierrors.NewTooManyRequestsError("slow down"), 3},
		"unavailable": {apierrors.NewServiceUnavailable("later"), 3},
		"forbidden":   {apierrors.NewForbidden(schema.GroupResource{}, "x", nil), 1},
		"conflict":    {apierrors.NewConflict(schema.GroupResource{}, "x", nil), 1},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			// The error itself decides whether the third attempt, which works, is reached.
			err := Caller{Timeout: time.Second, Jitter: func() float64 { return 0 }}.Do(context.Background(), "create", "x", func(context.Context) error {
				if tries++; tries == 3 {
					return nil
				}
				return c.err
			})
			if tries != c.tries || (err == nil) != (c.tries == 3) {
				t.Errorf("%d tries, error %v; want %d", tries, err, c.tries)
			}
		})
	}
}

func TestNamesAreAlwaysValidAndTellAlertsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.String().Draw(t, "label")
		other := rapid.String().Draw(t, "other")
		n := rapid.IntRange(1, 1<<20).Draw(t, "incarnation")
		name := ObjectName(alert.Digest(label), n)
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			t.Fatalf("%s: %v", name, problems)
		}
		if label != other && name == ObjectName(alert.Digest(other), n) {
			t.Fatalf("%q and %q share %s", label, other, name)
		}
		storm := PageName(StormName(StormFingerprint(label, other)), 9999)
		if problems := validation.IsDNS1123Label(storm); len(problems) > 0 {
			t.Fatalf("%s: %v", storm, problems)
		}
	})
}

func TestMembersShareWritesAndNeverStandTwice(t *testing.T) {
	updates := 0
	c := newFake(t, interceptor.Funcs{Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
		updates++
		return c.Update(ctx, o, opts...)
	}})
	storm := Found{Object: existing("storm-x", func(r *v1alpha1.RemediationRequest) { r.UID = "storm" })}
	pages := NewPages(c, Caller{Timeout: time.Second}, 10*time.Second, clock.Real{})
	var wg sync.WaitGroup
	for i := range 1200 {
		wg.Go(func() {
			m := incident()
			m.Fingerprint = fmt.Sprintf("%064x", i/2) // everyone comes twice
			if _, err := pages.Join(context.Background(), "s", storm.ensure, []Incident{m}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var list v1alpha1.StormPageList
	if err := c.List(context.Background(), &list); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, p := range list.Items {
		for _, m := range p.Spec.Members {
			seen[m.Fingerprint]++
		}
	}
	for f, n := range seen {
		if n != 1 {
			t.Errorf("%s stands %d times", f, n)
		}
	}
	if len(seen) != 600 || len(list.Items) != 2 || updates >= 600 {
		t.Errorf("%d members on %d pages by %d updates; want 600 on 2 by far fewer", len(seen), len(list.Items), updates)
	}
}

func TestAStatusThatSomebodyElseWroteMeanwhileIsWrittenAgain(t *testing.T) {
	rr := existing("rr", func(*v1alpha1.RemediationRequest) {})
	disturbed := false
	c := newFake(t, interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
		if !disturbed {
			disturbed = true
			return apierrors.NewConflict(schema.GroupResource{}, o.GetName(), errors.New("changed"))
		}
		return c.SubResource(sub).Update(ctx, o, opts...)
	}}, rr)
	counters := NewCounters(c, Caller{Timeout: time.Second}, time.Hour, slog.New(slog.DiscardHandler))
	counters.Note("uid-1", rr.Namespace, rr.Name, Tally{Members: 3})
	counters.Flush(context.Background())
	var got v1alpha1.RemediationRequest
	if err := c.Get(context.Background(), client.ObjectKeyFromObject(rr), &got); err != nil || got.Status.Members != 3 {
		t.Errorf("status %+v, %v", got.Status, err)
	}
}

func TestCountersAreCoalescedAndNeverFall(t *testing.T) {
	rr := existing("rr", func(r *v1alpha1.RemediationRequest) { r.Status.Occurrences = 5 })
	writes := 0
	c := newFake(t, interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
		writes++
		return c.SubResource(sub).Update(ctx, o, opts...)
	}}, rr)
	counters := NewCounters(c, Caller{Timeout: time.Second}, time.Hour, slog.New(slog.DiscardHandler))
	for i := range 100 {
		counters.Note("uid-1", rr.Namespace, rr.Name, Tally{Occurrences: 3, Deliveries: int64(i), Renotifications: int64(i) - 5})
	}
	counters.Flush(context.Background())
	counters.Flush(context.Background())
	var got v1alpha1.RemediationRequest
	if err := c.Get(context.Background(), client.ObjectKeyFromObject(rr), &got); err != nil {
		t.Fatal(err)
	}
	if got.Status.Occurrences != 5 || got.Status.Deliveries != 99 || got.Status.Renotifications != 94 || writes != 1 || got.Status.Phase != v1alpha1.PhasePending {
		t.Errorf("status %+v after %d writes", got.Status, writes)
	}
}

func TestStatusesAreWrittenSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const objects = 4 * writers
		begun := time.Now()
		c := newFake(t, interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			time.Sleep(time.Second) // a slow server, in the bubble's own time
			return apierrors.NewNotFound(schema.GroupResource{}, "gone")
		}})
		counters := NewCounters(c, Caller{Timeout: time.Minute}, time.Hour, slog.New(slog.DiscardHandler))
		for i := range objects {
			counters.Note(fmt.Sprint(i), "shop", fmt.Sprint(i), Tally{Occurrences: 1})
		}
		counters.Flush(t.Context())
		if took := time.Since(begun); took != objects/writers*time.Second {
			t.Errorf("%d statuses of a second each took %s, want %ds", objects, took, objects/writers)
		}
	})
}

func TestAStopWaitsForOneTryOfAStatusAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := 0
		c := newFake(t, interceptor.Funcs{Get: func(ctx context.Context, _ client.WithWatch, _ client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
			select {
			case <-ctx.Done():
				cut++
			case <-time.After(time.Second): // it takes a while to say no
			}
			return apierrors.NewServiceUnavailable("the API server is away")
		}})
		counters := NewCounters(c, Caller{Timeout: 5 * time.Second}, 100*time.Millisecond, slog.New(slog.DiscardHandler))
		counters.Note("uid-1", "shop", "rr", Tally{Occurrences: 1})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan time.Time)
		go func() {
			counters.Run(ctx)
			ended <- time.Now()
		}()
		time.Sleep(10 * time.Second) // in the bubble's own time: tries of a second each
		stop()
		stopped := time.Now()
		if late := (<-ended).Sub(stopped); late > time.Second || cut > 0 {
			t.Errorf("it ended %s after the stop, and %d tries were cut off; want a second at most, and none", late, cut)
		}
		if !counters.entries["uid-1"].dirty {
			t.Error("what was not written is not left for Flush")
		}
	})
}

func TestAnIncidentWhoseGroupWasNotDeliveredWholeSaysSo(t *testing.T) {
	rr := existing("rr", func(r *v1alpha1.RemediationRequest) {
		r.Status.Conditions = []metav1.Condition{{Type: "Remediated", Status: metav1.ConditionUnknown, Reason: "New", LastTransitionTime: metav1.Now()}}
	})
	c := newFake(t, interceptor.Funcs{}, rr)
	counters := NewCounters(c, Caller{Timeout: time.Second}, time.Hour, slog.New(slog.DiscardHandler))
	for _, left := range []int64{7, 0, 3} {
		counters.Note("uid-1", rr.Namespace, rr.Name, Tally{Truncated: left})
		counters.Flush(context.Background())
	}
	var got v1alpha1.RemediationRequest
	if err := c.Get(context.Background(), client.ObjectKeyFromObject(rr), &got); err != nil {
		t.Fatal(err)
	}
	complete := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionComplete)
	if got.Status.TruncatedAlerts != 7 || complete == nil || complete.Status != metav1.ConditionFalse || complete.Reason != v1alpha1.ReasonTruncated {
		t.Errorf("%d and %+v; want the most that was left out, and why", got.Status.TruncatedAlerts, complete)
	}
	if meta.FindStatusCondition(got.Status.Conditions, "Remediated") == nil {
		t.Error("somebody else's condition is gone")
	}
}
