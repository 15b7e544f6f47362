package fault

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBudgetHitsByCount(t *testing.T) {
	tests := map[string]struct {
		after, times int64
		want         []bool
	}{
		"without limits every match is hit":           {0, 0, []bool{true, true, true, true}},
		"times bounds the hits":                       {0, 2, []bool{true, true, false, false}},
		"after lets the first matches pass":           {2, 0, []bool{false, false, true, true}},
		"after and times hit a window of the matches": {1, 2, []bool{false, true, true, false}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := &budget{after: tc.after, times: tc.times}
			var got []bool
			for range tc.want {
				got = append(got, b.hit())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("hits (-want +got):\n%s", diff)
			}
			if matched, _ := b.counts(); matched != int64(len(tc.want)) {
				t.Errorf("matched = %d, want %d", matched, len(tc.want))
			}
		})
	}
}

func TestBudgetNeverReservesMoreThanPlanned(t *testing.T) {
	b := &budget{times: 3}
	var hits sync.WaitGroup
	for range 50 {
		hits.Go(func() { b.hit() })
	}
	hits.Wait()
	if matched, applied := b.counts(); matched != 50 || applied != 3 {
		t.Errorf("matched, applied = %d, %d; want 50, 3", matched, applied)
	}
}

func TestBudgetReusesAReservationGivenBack(t *testing.T) {
	b := &budget{times: 1}
	if !b.reserve() || b.reserve() {
		t.Fatal("want one reservation and no second one")
	}
	b.giveBack()
	if !b.hit() {
		t.Error("the reservation given back was not used again")
	}
}

func TestBudgetConfirmsNothingAfterTheEnd(t *testing.T) {
	b := &budget{}
	if !b.reserve() || !b.end() || b.end() {
		t.Fatal("want a reservation and one first end")
	}
	if b.confirm() || b.reserve() {
		t.Error("a removed fault still hits")
	}
	if matched, applied := b.counts(); matched != 1 || applied != 0 {
		t.Errorf("matched, applied = %d, %d; want 1, 0", matched, applied)
	}
}
