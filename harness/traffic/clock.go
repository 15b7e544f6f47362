package traffic

import (
	"context"
	"time"
)

// Clock is the time that load and retries go by; Wall is the real one.
type Clock interface {
	Now() time.Time
	// Until returns at t, at once when t has passed, or with ctx's error when ctx ends first.
	Until(ctx context.Context, t time.Time) error
}

// Wall is real time (or the time of a synctest bubble).
type Wall struct{}

// Now is time.Now.
func (Wall) Now() time.Time { return time.Now() }

// Until waits on a timer.
func (Wall) Until(ctx context.Context, t time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := time.Until(t)
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
