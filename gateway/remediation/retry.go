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
	// Start, if not nil, is told of every attempt; the attempt gets the context that it
	// returns, and the function is called with the outcome.
	Start func(ctx context.Context, verb, resource string) (context.Context, func(error))
	// Limit bounds the calls at once; nil for no bound.
	Limit *Limit
	// Patient calls let others go first where the limit makes them wait.
	Patient bool
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
		asked, err := c.once(ctx, verb, resource, f)
		if err == nil || !transient(err) || ctx.Err() != nil {
			return withAfter(err, asked)
		}
		pause := c.pause(asked, attempt)
		if deadline, bounded := ctx.Deadline(); bounded && time.Until(deadline) < pause {
			return withAfter(err, asked) // the sender learns it now, and has time to come again
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return withAfter(err, asked)
		case <-timer.C:
		}
	}
}

func (c Caller) once(ctx context.Context, verb, resource string, f func(context.Context) error) (asked time.Duration, err error) {
	if c.Limit != nil {
		cuts, over := c.Limit.take(ctx, c.Patient)
		if over != nil {
			return 0, over
		}
		defer func() { c.Limit.give(cuts, apierrors.IsTooManyRequests(err), asked) }()
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	ctx, header := withAsked(ctx)
	done := func(error) {}
	if c.Start != nil {
		ctx, done = c.Start(ctx, verb, resource)
	}
	err = f(ctx)
	done(err)
	if seconds, inBody := apierrors.SuggestsClientDelay(err); inBody {
		return time.Duration(seconds) * time.Second, err
	}
	return time.Duration(header.Load()), err
}

// pause is what the server asked for and up to a second more, else an exponential backoff
// with jitter. A server that throttles tells everybody the same time: without the addition
// all would come back at once and be turned away again.
func (c Caller) pause(asked time.Duration, attempt int) time.Duration {
	jitter := rand.Float64
	if c.Jitter != nil {
		jitter = c.Jitter
	}
	if asked > 0 {
		return asked + time.Duration(jitter()*float64(lastPause))
	}
	most := min(firstPause<<min(attempt, 10), lastPause)
	return time.Duration(float64(most) * (0.5 + jitter()/2))
}
