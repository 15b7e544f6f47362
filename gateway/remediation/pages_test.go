package remediation

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
)

// writes lets a test hold each group commit open: a leader says which join it leads for, and
// goes on when it is let go.
type writes struct {
	t      *testing.T
	pages  *Pages
	began  chan string
	letGo  chan struct{}
	ended  map[string]chan error
	number int
}

func newWrites(t *testing.T) *writes {
	return &writes{t: t, pages: NewPages(newFake(t, interceptor.Funcs{}), Caller{Timeout: time.Second}, time.Hour, clock.Real{}),
		began: make(chan string, 1), letGo: make(chan struct{}), ended: map[string]chan error{}}
}

// join begins a request with one new member; it returns once the request waits or leads.
func (w *writes) join(ctx context.Context, name string) {
	storm := Found{Object: existing("storm-x", func(r *v1alpha1.RemediationRequest) { r.UID = "storm" })}
	m := incident()
	w.number++
	m.Fingerprint = fmt.Sprintf("%064x", w.number)
	ended := make(chan error, 1)
	w.ended[name] = ended
	go func() {
		_, err := w.pages.Join(ctx, "s", func(ctx context.Context, all []Incident) (Found, map[string]*v1alpha1.RemediationRequest, error) {
			w.began <- name
			<-w.letGo
			return storm.ensure(ctx, all)
		}, []Incident{m})
		ended <- err
	}()
	synctest.Wait()
}

// leads asserts who writes now, and lets that write go on.
func (w *writes) leads(name string) {
	w.t.Helper()
	select {
	case who := <-w.began:
		if who != name {
			w.t.Fatalf("%s writes, want %s", who, name)
		}
	default:
		w.t.Fatalf("nobody writes, want %s", name)
	}
	w.letGo <- struct{}{}
	synctest.Wait()
}

// ends asserts that a request has its answer now.
func (w *writes) ends(name string) error {
	w.t.Helper()
	select {
	case err := <-w.ended[name]:
		return err
	default:
		w.t.Fatalf("%s still waits", name)
		return nil
	}
}

func (w *writes) members() int {
	w.t.Helper()
	var list v1alpha1.StormPageList
	if err := w.pages.client.List(context.Background(), &list); err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, p := range list.Items {
		n += len(p.Spec.Members)
	}
	return n
}

func TestALeaderIsAnsweredAfterItsOwnWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWrites(t)
		for _, name := range []string{"first", "second", "third"} {
			w.join(t.Context(), name)
		}
		w.leads("first")
		// The second write, for second and third, is under way and is nothing to the first.
		if err := w.ends("first"); err != nil {
			t.Fatal(err)
		}
		w.leads("second")
		for _, name := range []string{"second", "third"} {
			if err := w.ends(name); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.members(); n != 3 {
			t.Errorf("%d members, want 3", n)
		}
	})
}

func TestATurnIsNeverGivenToARequestThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWrites(t)
		impatient, giveUp := context.WithCancel(t.Context())
		w.join(t.Context(), "first")
		w.join(impatient, "second")
		w.join(t.Context(), "third")
		giveUp()
		synctest.Wait()
		var unavailable *UnavailableError
		if err := w.ends("second"); !errors.As(err, &unavailable) {
			t.Fatalf("the one that gave up was told %v, want an UnavailableError", err)
		}
		w.leads("first")
		w.leads("third")
		if err := errors.Join(w.ends("first"), w.ends("third")); err != nil {
			t.Fatal(err)
		}
		if n := w.members(); n != 2 {
			t.Errorf("%d members, want 2: who was told no is not written", n)
		}
	})
}
