package remediation

import (
	"context"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Caller makes calls to the API server with a deadline each, and tries again what may
// help, inside the deadline of ctx.
type Caller struct {
	// Timeout bounds one attempt.
	Timeout time.Duration
	// Observe, if not nil, is told every attempt: verb, resource, and its error or nil.
	Observe func(verb, resource string, err error)
	// Jitter is a random number in [0,1); nil takes one from math/rand.
	Jitter func() float64
}

const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// Do calls f until it succeeds, fails for good, or ctx's deadline would pass while waiting.
// Because names are deterministic, an attempt that was applied but not answered may be
// made again.
func (c Caller) Do(ctx context.Context, verb, resource string, f func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		err := c.once(ctx, verb, resource, f)
		if err == nil || !transient(err) || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(c.pause(err, attempt))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

func (c Caller) once(ctx context.Context, verb, resource string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	err := f(ctx)
	if c.Observe != nil {
		c.Observe(verb, resource, err)
	}
	return err
}

// pause is what the server asked for, else an exponential backoff with full jitter.
func (c Caller) pause(err error, attempt int) time.Duration {
	if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
		return time.Duration(seconds) * time.Second
	}
	jitter := rand.Float64
	if c.Jitter != nil {
		jitter = c.Jitter
	}
	most := min(firstPause<<min(attempt, 10), lastPause)
	return time.Duration(float64(most) * (0.5 + jitter()/2))
}
