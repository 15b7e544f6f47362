package traffic

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

// Retrier sends a request until it is acknowledged or refused for good, as Alertmanager's
// webhook integration does. The facts, read in prometheus/alertmanager at commit
// 68fb2d5759b3 (August 2026):
//
//   - A 2xx is final; every 5xx and every transport error is tried again; every other
//     status, 3xx and 429 too, is final and loses the notification (notify/util.go,
//     Retrier.Check; notify/webhook/webhook.go builds a Retrier without RetryCodes).
//   - Retry-After is never read: the word does not occur below notify/.
//   - Pauses are cenkalti/backoff/v5's defaults: 500 ms, times 1.5 each time, at most 60 s,
//     each spread by +-50 % at random, without end (notify/retry_stage.go).
//   - The pauses come from a ticker, so each is measured from the start of the attempt: a
//     slow attempt is followed by the next without delay.
//   - The deadline of the whole is the route's group_interval, but at least 10 s, plus a
//     wait for its position in the cluster (app/app.go, notify.MinTimeout). One attempt has
//     a deadline of its own only with webhook_configs' timeout, which is off by default.
//   - The body is made anew from the same alerts each time; here it is the same bytes.
//
// What is lost so comes back with the group's next notification, which is another request.
type Retrier struct {
	Client *Client
	// Backoff between attempts; the zero value is AlertmanagerBackoff.
	Backoff Backoff
	// Codes are further statuses that are tried again. Alertmanager's webhook has none.
	Codes []int
	// GroupInterval is the route's: the deadline of all attempts is this, at least 10 s.
	GroupInterval time.Duration
	// AttemptTimeout bounds one attempt; 0 for none, as Alertmanager.
	AttemptTimeout time.Duration
	// Random returns numbers in [0,1) for the spread; nil takes the global source. It is
	// called by every Send and must be safe for as many at once as there are.
	Random func() float64
	// Clock is real time when nil.
	Clock Clock
}

// minTimeout is the least deadline that Alertmanager gives to a notification.
const minTimeout = 10 * time.Second

// Backoff is a growing pause: Initial, then times Factor, at most Max, each spread evenly
// over 1-Spread to 1+Spread of itself.
type Backoff struct {
	Initial, Max   time.Duration
	Factor, Spread float64
}

// AlertmanagerBackoff is what Alertmanager does.
var AlertmanagerBackoff = Backoff{Initial: 500 * time.Millisecond, Max: time.Minute, Factor: 1.5, Spread: 0.5}

// Quick is Alertmanager's backoff ten times as fast, for scenarios that should not wait.
var Quick = Backoff{Initial: 50 * time.Millisecond, Max: time.Second, Factor: 1.5, Spread: 0.5}

// Pause is the time between the starts of attempt n, from 1, and the next; random is in
// [0,1).
func (b Backoff) Pause(n int, random float64) time.Duration {
	grown := float64(b.Initial) * math.Pow(b.Factor, float64(n-1))
	grown = min(grown, float64(b.Max))
	return time.Duration(grown * (1 - b.Spread + 2*b.Spread*random))
}

// Retryable reports whether Alertmanager's webhook would send again: on 5xx, when no answer
// came, and on the statuses in codes.
func Retryable(a history.Answer, codes ...int) bool {
	return a.Status == 0 || a.Status/100 == 5 || slices.Contains(codes, a.Status)
}

// Send returns every response, the last one last. Its error is about the harness only; an
// end of ctx or of the deadline is no error: the last response tells how far it got. An ID
// that ends in /1 becomes /2, /3, ... for the repeats.
func (t *Retrier) Send(ctx context.Context, r Request) ([]Response, error) {
	clock := t.Clock
	if clock == nil {
		clock = Wall{}
	}
	ctx, cancel := context.WithTimeout(ctx, max(t.GroupInterval, minTimeout))
	defer cancel()
	var out []Response
	first := r.ID
	for attempt := 1; ; attempt++ {
		begin := clock.Now()
		resp, err := t.once(ctx, r)
		out = append(out, resp)
		if err != nil || !Retryable(resp.Answer, t.Codes...) {
			return out, err
		}
		if clock.Until(ctx, begin.Add(t.pause(attempt))) != nil || ctx.Err() != nil {
			return out, nil
		}
		r.RetryOf = first
		r.ID = strings.TrimSuffix(first, "/1") + "/" + strconv.Itoa(attempt+1)
	}
}

func (t *Retrier) once(ctx context.Context, r Request) (Response, error) {
	if t.AttemptTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.AttemptTimeout)
		defer cancel()
	}
	return t.Client.Send(ctx, r)
}

func (t *Retrier) pause(attempt int) time.Duration {
	b, random := t.Backoff, t.Random
	if b == (Backoff{}) {
		b = AlertmanagerBackoff
	}
	if random == nil {
		random = rand.Float64
	}
	return b.Pause(attempt, random())
}
