package degraded

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/semaphore"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/window"
)

// Options of a Switch.
type Options struct {
	Redis  redis.UniversalClient
	Prefix string
	// Probe writes to Redis; an error says why it does not serve. Patience bounds one.
	Probe    func(context.Context) error
	Patience time.Duration
	Ledgers  Ledgers
	Clock    clock.Clock
	Log      *slog.Logger
	// Corrupt is as for window.New. Lost is told whenever Redis is lost or back, Alerts how
	// many were decided without it.
	Corrupt func(int)
	Lost    func(bool)
	Alerts  func(int)
}

// Switch decides by Redis while it serves, and by ledgers while it does not.
type Switch struct {
	Options
	lost atomic.Pointer[outage]
	// using is held for reading by batches that decide by ledgers, for writing while the last
	// ledgers are taught: so none of this process is written after that.
	using sync.RWMutex
	turns [64]*semaphore.Weighted
}

type outage struct {
	since time.Time
	cause error
}

// New returns a switch that takes Redis for well until it sees otherwise.
func New(o Options) *Switch {
	s := &Switch{Options: o}
	for i := range s.turns {
		s.turns[i] = semaphore.NewWeighted(1)
	}
	return s
}

// Why is why Redis is lost, nil while it serves.
func (s *Switch) Why() error {
	if o := s.lost.Load(); o != nil {
		return o.cause
	}
	return nil
}

// Process decides on a batch. A batch that fails because Redis is lost begins anew: what the
// first attempt made is met, as by a sender's retry.
func (s *Switch) Process(ctx context.Context, in *intake.Intake, alerts []alert.Alert) ([]intake.Verdict, error) {
	if s.Why() == nil {
		verdicts, err := in.Process(ctx, alerts)
		var failed *intake.RedisError
		if !errors.As(err, &failed) || ctx.Err() != nil || !s.lose(ctx) {
			return verdicts, err
		}
	}
	verdicts, err := s.without(ctx, in, alerts)
	if errors.Is(err, errClosed) && s.recover(ctx) == nil {
		return in.Process(ctx, alerts)
	}
	return verdicts, err
}

// without decides by ledgers, unless Redis came back meanwhile.
func (s *Switch) without(ctx context.Context, in *intake.Intake, alerts []alert.Alert) ([]intake.Verdict, error) {
	s.using.RLock()
	defer s.using.RUnlock()
	if s.Why() == nil {
		return in.Process(ctx, alerts)
	}
	degraded := *in
	degraded.Windows = windows{s, in.Config.Dedup.Window}
	verdicts, err := degraded.Process(ctx, alerts)
	s.Alerts(len(verdicts))
	return verdicts, err
}

// lose reports whether Redis is lost: one more failure than the one that made it ask.
func (s *Switch) lose(ctx context.Context) bool {
	err := s.probe(ctx)
	if err == nil || ctx.Err() != nil {
		return s.Why() != nil
	}
	if s.lost.CompareAndSwap(nil, &outage{s.Clock.Now(), err}) {
		s.Lost(true)
		s.Log.WarnContext(ctx, "Redis is lost, Kubernetes decides alone", "error", err)
	}
	return true
}

func (s *Switch) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	return s.Probe(ctx)
}

// recover goes back to Redis if it serves and has been taught.
func (s *Switch) recover(ctx context.Context) error {
	if err := s.probe(ctx); err != nil {
		return err
	}
	s.using.Lock()
	defer s.using.Unlock()
	if err := s.teachAll(ctx); err != nil {
		s.Log.WarnContext(ctx, "Redis serves, and what was decided without it cannot be brought there", "error", err)
		return err
	}
	if s.lost.Swap(nil) != nil {
		s.Lost(false)
		s.Log.InfoContext(ctx, "Redis is back and knows what was decided without it")
	}
	return nil
}

// Run looks about every second whether Redis serves, and teaches it what any replica left,
// until ctx ends.
func (s *Switch) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.recover(ctx); err != nil && s.Why() == nil {
			s.lose(ctx)
		}
		_ = pause(ctx, time.Second/2+rand.N(time.Second)) // the loop looks
	}
}

// Guard has Redis taught before it opens anything where another replica, which does without
// Redis, keeps a ledger of the group.
func (s *Switch) Guard(redis intake.Windows) intake.Windows { return guarded{redis, s} }

type guarded struct {
	intake.Windows
	*Switch
}

// Decide implements intake.Windows.
func (g guarded) Decide(ctx context.Context, of window.Group, r window.Request, items []window.Item) ([]window.Decision, []window.Counts, error) {
	decisions, counts, err := g.Windows.Decide(ctx, of, r, items)
	var claims []string
	for i, d := range decisions {
		if d.Claimed {
			claims = append(claims, items[i].Fingerprint)
		}
	}
	if err != nil || len(claims) == 0 {
		return decisions, counts, err
	}
	if there, err := g.teach(ctx, of.Tag, claims); err != nil || !there {
		return decisions, counts, err
	}
	return g.Windows.Decide(ctx, of, r, items)
}

// Redis is what the reconciler needs of package window.
type Redis interface {
	Free(ctx context.Context, g window.Group, f window.Freed) error
	Counted(ctx context.Context, refs []window.Ref) ([]window.Counts, error)
}

// Both are the windows of Redis and of ledgers, for what happens behind the requests' back.
func (s *Switch) Both(r Redis, dedup time.Duration) Redis { return both{r, s, dedup} }

type both struct {
	Redis
	s     *Switch
	dedup time.Duration
}

// Free frees in a ledger first, and fails until it has freed in Redis as well.
func (b both) Free(ctx context.Context, g window.Group, f window.Freed) error {
	l, err := b.s.Ledgers.read(ctx, g.Tag)
	if err == nil && l.there() {
		err = windows{b.s, b.dedup}.Free(ctx, g, f)
	}
	if err != nil && !errors.Is(err, errClosed) {
		return err
	}
	return b.Redis.Free(ctx, g, f)
}

// Counted has nothing to say while Redis is lost.
func (b both) Counted(ctx context.Context, refs []window.Ref) ([]window.Counts, error) {
	if b.s.Why() != nil {
		return make([]window.Counts, len(refs)), nil
	}
	return b.Redis.Counted(ctx, refs)
}
