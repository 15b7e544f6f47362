package clock_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stormproof/stormproof/gateway/clock"
)

func TestShiftedAddsItsAdvancesToTheWallClock(t *testing.T) {
	var c clock.Shifted
	before := time.Now()
	c.Advance(time.Hour)
	c.Advance(time.Minute)
	got := c.Now().Sub(before)
	if got < 61*time.Minute || got > 62*time.Minute {
		t.Errorf("Now is %s ahead of the wall clock, want about 61m", got)
	}
}

func TestAdvancesOfManyGoroutinesAllCount(t *testing.T) {
	var c clock.Shifted
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { c.Advance(time.Second) })
	}
	wg.Wait()
	if c.Offset() != 100*time.Second {
		t.Errorf("Offset = %s, want 100s", c.Offset())
	}
}

func TestRealIsNeverAhead(t *testing.T) {
	if got := (clock.Real{}).Offset(); got != 0 {
		t.Errorf("Offset = %s, want 0", got)
	}
	if d := time.Since(clock.Real{}.Now()); d < 0 || d > time.Minute {
		t.Errorf("Now is %s from the wall clock", d)
	}
}

func TestASkewIsNoAdvance(t *testing.T) {
	var c clock.Shifted
	c.Skew(time.Hour)
	if ahead := time.Until(c.Now()); ahead < 59*time.Minute || c.Offset() != 0 {
		t.Errorf("Now is %s ahead and Offset %s, want 1h and 0", ahead, c.Offset())
	}
}

func TestAFrozenClockIsMovedByAdvancesAlone(t *testing.T) {
	var c clock.Shifted
	at := time.UnixMilli(1_700_000_000_123)
	c.Freeze(at)
	c.Set(5*time.Minute + time.Millisecond)
	if got := c.Now(); !got.Equal(at.Add(5*time.Minute+time.Millisecond)) || !c.Still() {
		t.Errorf("Now is %s and still is %v", got, c.Still())
	}
}
