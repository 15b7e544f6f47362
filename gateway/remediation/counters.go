package remediation

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/panics"
)

// Tally is what an object's status should show.
type Tally struct {
	Occurrences, Deliveries, Renotifications, Members int64
	LastSeen, ResolvedAt, Newest                      time.Time
	// Truncated is the most alerts that a sender left out of one delivery.
	Truncated int64
}

// Max takes the greater of each: counters only grow, and writers may come out of order.
func (t Tally) Max(o Tally) Tally {
	later := func(a, b time.Time) time.Time {
		if a.After(b) {
			return a
		}
		return b
	}
	return Tally{max(t.Occurrences, o.Occurrences), max(t.Deliveries, o.Deliveries),
		max(t.Renotifications, o.Renotifications), max(t.Members, o.Members),
		later(t.LastSeen, o.LastSeen), later(t.ResolvedAt, o.ResolvedAt), later(t.Newest, o.Newest),
		max(t.Truncated, o.Truncated)}
}

// Counters brings tallies into status, coalesced: at most one write an interval and object,
// and none lost at an orderly stop.
type Counters struct {
	client   client.Client
	caller   Caller
	interval time.Duration
	log      *slog.Logger

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is one object's tally; written is when its status was last brought up to date.
type entry struct {
	key     client.ObjectKey
	tally   Tally
	dirty   bool
	written time.Time
}

// forgetAfter bounds memory: an object that was not seen for this long is read again.
const forgetAfter = 15 * time.Minute

// NewCounters returns counters; Run writes them.
func NewCounters(c client.Client, caller Caller, interval time.Duration, log *slog.Logger) *Counters {
	caller.Patient = true
	return &Counters{client: c, caller: caller, interval: interval, log: log, entries: map[string]*entry{}}
}

// Note remembers a tally of an object, to be written soon.
func (c *Counters) Note(uid, namespace, name string, t Tally) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[uid]
	if e == nil {
		e = &entry{key: client.ObjectKey{Namespace: namespace, Name: name}}
		c.entries[uid] = e
	}
	e.tally, e.dirty = e.tally.Max(t), true
}

// Known is what this process knows of an object beyond its status.
func (c *Counters) Known(uid string) Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[uid]; e != nil {
		return e.tally
	}
	return Tally{}
}

// Run writes until ctx ends. It does not write what is left then: see Flush.
func (c *Counters) Run(ctx context.Context) {
	tick := time.NewTicker(max(c.interval/4, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.write(ctx, c.due(time.Now(), false))
		}
	}
}

// Flush writes everything that is not written yet.
func (c *Counters) Flush(ctx context.Context) { c.write(ctx, c.due(time.Now(), true)) }

// due returns the entries to write now, and forgets those that are long written.
func (c *Counters) due(now time.Time, all bool) map[string]entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]entry{}
	for uid, e := range c.entries {
		switch {
		case e.dirty && (all || now.Sub(e.written) >= c.interval):
			e.dirty, e.written = false, now
			out[uid] = *e
		case !e.dirty && now.Sub(e.written) > forgetAfter:
			delete(c.entries, uid)
		}
	}
	return out
}

// writers is how many statuses are written at once: at a stop there is one grace for all of
// them, while requests need the API server as well.
const writers = 8

func (c *Counters) write(ctx context.Context, due map[string]entry) {
	var group errgroup.Group
	group.SetLimit(writers)
	for uid, e := range due {
		group.Go(func() error {
			if err := c.writeOne(ctx, uid, e); err != nil {
				c.log.WarnContext(ctx, "writing status failed; it is tried again", "object", e.key.String(), "error", err)
				c.mu.Lock()
				defer c.mu.Unlock()
				if current := c.entries[uid]; current != nil {
					current.dirty = true
				}
			}
			return nil
		})
	}
	_ = group.Wait() // each failure is told above, and tried again
}

// writeOne raises the object's counters; an object that has gone needs none.
func (c *Counters) writeOne(ctx context.Context, uid string, e entry) (err error) {
	defer panics.Caught(&err)
	raise := func(ctx context.Context) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		// An attempt that has begun is finished: cut off, it might be applied later, in the
		// middle of the next one.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.caller.Timeout)
		defer cancel()
		var rr v1alpha1.RemediationRequest
		if err := c.client.Get(ctx, e.key, &rr); err != nil {
			return err
		}
		if string(rr.UID) != uid {
			return nil
		}
		e.tally.into(&rr.Status)
		return c.client.Status().Update(ctx, &rr)
	}
	err = c.caller.Do(ctx, "update", resource+"/status", func(ctx context.Context) error {
		// Somebody else may write the status at the same moment: read again, raise again.
		return retry.RetryOnConflict(retry.DefaultBackoff, func() error { return raise(ctx) })
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// into raises what a status shows.
func (t Tally) into(s *v1alpha1.RemediationRequestStatus) {
	t = t.Max(TallyOf(s))
	s.Occurrences, s.Deliveries, s.Renotifications, s.Members = t.Occurrences, t.Deliveries, t.Renotifications, t.Members
	s.LastSeen, s.ResolvedAt, s.NewestStartsAt = micro(t.LastSeen), micro(t.ResolvedAt), micro(t.Newest)
	if s.Phase == "" {
		s.Phase = v1alpha1.PhasePending
	}
	if t.Truncated > 0 {
		s.TruncatedAlerts = t.Truncated
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: v1alpha1.ConditionComplete, Status: metav1.ConditionFalse,
			Reason: v1alpha1.ReasonTruncated, Message: fmt.Sprintf("the sender left out up to %d alerts of this group; raise max_alerts of its webhook", t.Truncated)})
	}
}

// TallyOf reads a status.
func TallyOf(s *v1alpha1.RemediationRequestStatus) Tally {
	t := Tally{Occurrences: s.Occurrences, Deliveries: s.Deliveries, Renotifications: s.Renotifications, Members: s.Members,
		Truncated: s.TruncatedAlerts}
	set := func(to *time.Time, from *metav1.MicroTime) {
		if from != nil {
			*to = from.Time
		}
	}
	set(&t.LastSeen, s.LastSeen)
	set(&t.ResolvedAt, s.ResolvedAt)
	set(&t.Newest, s.NewestStartsAt)
	return t
}

func micro(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	m := metav1.NewMicroTime(t)
	return &m
}
