package reconcile

import (
	"context"
	"log/slog"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// told is Redis and the counters: what was counted, and what was noted.
type told struct {
	Windows
	counts []window.Counts
	notes  []remediation.Tally
}

func (t *told) Counted(_ context.Context, refs []window.Ref) ([]window.Counts, error) {
	return t.counts[:len(refs)], nil
}

func (t *told) Note(_, _, _ string, tally remediation.Tally) { t.notes = append(t.notes, tally) }

func TestOnlyALagThatStaysIsRaised(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	rr := &v1alpha1.RemediationRequest{}
	rr.Name, rr.Namespace, rr.UID, rr.Status.Deliveries = "rr", "shop", "u", 2
	x := &told{}
	r := &raiser{reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(rr).Build(), windows: func() Windows { return x }, counters: x, log: slog.New(slog.DiscardHandler)}
	for i, step := range []struct {
		deliveries int64
		notes      int
	}{{2, 0}, {3, 0}, {4, 0}, {4, 1}, {2, 1}, {4, 1}, {4, 2}} {
		x.counts = []window.Counts{{Deliveries: step.deliveries}}
		if err := r.look(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(x.notes) != step.notes {
			t.Fatalf("look %d at %d: %d notes, want %d", i, step.deliveries, len(x.notes), step.notes)
		}
	}
}

func TestEachLookGoesOnWhereTheLastOneEnded(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	r := &raiser{reader: fake.NewClientBuilder().WithScheme(scheme).Build(), windows: func() Windows { return &told{} }, next: 2 * atALook}
	if err := r.look(context.Background()); err != nil || r.next != 0 {
		t.Errorf("next is %d (%v), want it to begin again", r.next, err)
	}
}
