package remediation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// seats is a server that serves so many calls at once, 5 ms each, and turns others away
// with Retry-After: 1.
type seats struct {
	mu              sync.Mutex
	free            int
	served, refused int
}

func (s *seats) call(context.Context) error {
	s.mu.Lock()
	if s.free == 0 {
		s.refused++
		s.mu.Unlock()
		return apierrors.NewTooManyRequests("no seat", 1)
	}
	s.free--
	s.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	s.served++
	return nil
}

// crowd makes n calls at once and returns how many failed, and how long it took.
func crowd(c Caller, s *seats, n int) (failed int, took time.Duration) {
	begin := time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	for range n {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
			defer cancel()
			if c.Do(ctx, "create", "x", s.call) != nil {
				mu.Lock()
				failed++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed, time.Since(begin)
}

func TestAServerThatThrottlesIsHardlyEverAskedInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &seats{free: 1}
		caller := Caller{Timeout: time.Second, Limit: &Limit{}}
		if failed, _ := crowd(caller, server, 64); failed != 0 {
			t.Errorf("%d of the first crowd failed", failed)
		}
		server.refused = 0
		failed, took := crowd(caller, server, 200)
		// One more at once is tried now and then, so a few are still turned away.
		if failed != 0 || server.refused > 8 || took > 6*time.Second {
			t.Errorf("%d failed, %d turned away in %s; want none, at most 8, soon", failed, server.refused, took)
		}
	})
}

func TestTheLimitComesBackWhenTheServerDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &Limit{Most: 8}
		caller := Caller{Timeout: time.Second, Limit: limit}
		crowd(caller, &seats{free: 1}, 32)
		if limit.allowed > 3 {
			t.Errorf("allowed %.1f under throttling, want about 1", limit.allowed)
		}
		time.Sleep(2 * time.Second)
		crowd(caller, &seats{free: 100}, 200)
		if limit.allowed < 8 {
			t.Errorf("allowed %.1f after 200 good calls, want all 8", limit.allowed)
		}
		if limit.flying != 0 || len(limit.waiting) != 0 {
			t.Errorf("%d turns are held, %d wait; want none", limit.flying, len(limit.waiting))
		}
	})
}

func TestPatientCallsLetOthersGoFirstAndDoNotStarve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &Limit{Most: 1}
		turn, err := limit.take(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		order := ""
		var all sync.WaitGroup
		wait := func(name string, caller Caller) {
			all.Go(func() {
				_ = caller.Do(t.Context(), "update", "x", func(context.Context) error { // never fails
					order += name
					return nil
				})
			})
			synctest.Wait()
		}
		caller := Caller{Timeout: time.Second, Limit: limit}
		for range 2 {
			wait("p", NewCounters(nil, caller, time.Hour, nil).caller)
		}
		for range patience + 2 {
			wait("u", caller)
		}
		gone, quit := context.WithCancel(t.Context())
		all.Go(func() {
			if _, err := limit.take(gone, true); err == nil {
				t.Error("a patient one that gave up got a turn")
			}
		})
		synctest.Wait()
		quit()
		limit.give(turn, false, 0)
		all.Wait()
		if order != "uuuuuuuupuup" {
			t.Errorf("order %s, want one patient call after each 8 others, and then the rest", order)
		}
		if limit.flying != 0 || len(limit.waiting)+len(limit.patient) != 0 {
			t.Errorf("%d turns are held; want none, and nobody who waits", limit.flying)
		}
	})
}

func TestTurnsAreInOrderAndATurnOfWhoGaveUpIsTheNextOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &Limit{Most: 1}
		turn, err := limit.take(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		quitter, quit := context.WithCancel(t.Context())
		var order []string
		var all sync.WaitGroup
		for _, name := range []string{"first", "quits", "last"} {
			ctx := t.Context()
			if name == "quits" {
				ctx = quitter
			}
			all.Go(func() {
				turn, err := limit.take(ctx, false)
				if err != nil {
					order = append(order, name+" "+context.Cause(ctx).Error())
					return
				}
				order = append(order, name)
				limit.give(turn, false, 0)
			})
			synctest.Wait()
		}
		quit()
		synctest.Wait()
		limit.give(turn, false, 0)
		all.Wait()
		want := []string{"quits context canceled", "first", "last"}
		if len(order) != 3 || order[0] != want[0] || order[1] != want[1] || order[2] != want[2] {
			t.Errorf("order %v, want %v", order, want)
		}
		if _, err := limit.take(t.Context(), false); err != nil {
			t.Errorf("a free turn was refused: %v", err)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := limit.take(over, false); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting with a context that is over: %v", err)
		}
	})
}

func TestTheLimitTellsItsState(t *testing.T) {
	limit := &Limit{Most: 1}
	state := func(want ...int) {
		t.Helper()
		allowed, flying, waiting := limit.State()
		if got := []int{allowed, flying, waiting}; !slices.Equal(got, want) {
			t.Errorf("allowed, flying, waiting: %v, want %v", got, want)
		}
	}
	state(1, 0, 0)
	cuts, err := limit.take(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	state(1, 1, 0)
	limit.give(cuts, false, 0)
	state(1, 0, 0)
}
