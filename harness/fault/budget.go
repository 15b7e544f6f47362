package fault

import (
	"context"
	"net/http"
	"sync"
)

// budget counts what a fault matches and decides which matches it hits.
//
// A hit that is certain at once is a hit(). One that only shows later (a reply that may
// never come) is reserved first, then confirmed or given back, so that concurrent requests
// can never hit more often than planned.
type budget struct {
	after, times int64

	mu                         sync.Mutex
	matched, applied, reserved int64
	over                       bool
}

// reserve counts a match and reports whether it is one to hit.
func (b *budget) reserve() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return false
	}
	b.matched++
	if b.matched <= b.after || b.times > 0 && b.applied+b.reserved >= b.times {
		return false
	}
	b.reserved++
	return true
}

// confirm turns a reservation into a hit, and reports false when the fault was removed
// meanwhile: then the hit must not happen.
func (b *budget) confirm() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved--
	if b.over {
		return false
	}
	b.applied++
	return true
}

// giveBack drops a reservation whose hit can no longer happen.
func (b *budget) giveBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved--
}

// hit is reserve and confirm in one.
func (b *budget) hit() bool { return b.reserve() && b.confirm() }

// end freezes the counts and reports whether this call was the first.
func (b *budget) end() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.over
	b.over = true
	return first
}

func (b *budget) counts() (matched, applied int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.matched, b.applied
}

// armed is a fault that stands; both proxies hand it out as a Handle.
type armed struct {
	budget
	spec Spec
	// gone is closed on removal: what waits for the fault goes on.
	gone chan struct{}
	// late says that a hit is certain only after the request; see budget.
	late bool
	// act carries the fault out at a request to Kubernetes.
	act func(c *call, a *armed, w http.ResponseWriter, r *http.Request, next http.HandlerFunc)
	// detach makes the proxy forget the fault and lets go of what the fault holds.
	detach func()
}

func newArmed(spec Spec) *armed {
	return &armed{spec: spec, budget: budget{after: spec.After, times: spec.Times}, gone: make(chan struct{}), detach: func() {}}
}

// Receipt implements Handle.
func (a *armed) Receipt() Receipt {
	matched, applied := a.counts()
	return Receipt{ID: a.spec.ID, Target: a.spec.Target, Kind: a.spec.Kind, Planned: a.spec.Times,
		Matched: matched, Applied: applied}
}

// Remove implements Handle. It never blocks, so it does its work also for a context that
// is over: a scenario that ran out of time still has to be cleaned up.
func (a *armed) Remove(context.Context) error {
	if a.end() {
		close(a.gone)
		a.detach()
	}
	return nil
}
