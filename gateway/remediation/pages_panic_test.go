package remediation

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/panics"
)

// TestAPanicOfTheWriterIsToldToAllWhoWait: had the panic kept the book busy, the storm could
// never be written to again.
func TestAPanicOfTheWriterIsToldToAllWhoWait(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p := NewPages(nil, Caller{}, time.Second, clock.Real{})
	entered, more := make(chan struct{}), make(chan struct{})
	boom := func(context.Context, []Incident) (Found, map[string]*v1alpha1.RemediationRequest, error) {
		select {
		case entered <- struct{}{}:
			<-more
		default:
		}
		panic("boom")
	}
	errs := make(chan error, 2)
	join := func() {
		_, err := p.Join(ctx, "storm", boom, nil)
		errs <- err
	}
	go join()
	<-entered
	go join()
	close(more)
	for range 2 {
		var e *panics.Error
		if err := <-errs; !errors.As(err, &e) {
			t.Errorf("a request that waited for the write got %v", err)
		}
	}
	if p.book("storm").inUse() {
		t.Error("the book is still taken")
	}
}
