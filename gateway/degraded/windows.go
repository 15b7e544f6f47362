package degraded

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// windows are those of package window, kept in ledgers.
type windows struct {
	*Switch
	dedup time.Duration
}

// markerLife is how long a ledger keeps the markers of requests: only an attempt of the same
// request reads them.
const markerLife = time.Minute

// Decide implements intake.Windows.
func (w windows) Decide(ctx context.Context, g window.Group, r window.Request, items []window.Item) (decisions []window.Decision, counts []window.Counts, err error) {
	err = w.round(ctx, g.Tag, func(in *window.Windows) (err error) {
		decisions, counts, err = in.Decide(ctx, g, r, items)
		return err
	})
	return decisions, counts, err
}

// Settle implements intake.Windows.
func (w windows) Settle(ctx context.Context, g window.Group, requestID string, items []window.Settled) (counts []window.Counts, err error) {
	err = w.round(ctx, g.Tag, func(in *window.Windows) (err error) {
		counts, err = in.Settle(ctx, g, requestID, items)
		return err
	})
	return counts, err
}

// Free implements intake.Windows.
func (w windows) Free(ctx context.Context, g window.Group, f window.Freed) error {
	return w.round(ctx, g.Tag, func(in *window.Windows) error { return in.Free(ctx, g, f) })
}

// round has a script run on a group's ledger, as often as another replica was faster. In
// this process one round of a group waits for the other.
func (w windows) round(ctx context.Context, tag string, script func(*window.Windows) error) error {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(tag)) // cannot fail
	turn := w.turns[sum.Sum32()%uint32(len(w.turns))]
	if err := turn.Acquire(ctx, 1); err != nil {
		return &remediation.UnavailableError{Reason: remediation.Timeout, Doing: "waiting for the ledger of group " + tag, Err: err}
	}
	defer turn.Release(1)
	for {
		l, err := w.Ledgers.read(ctx, tag)
		if err != nil {
			return err
		}
		if at := closed(&l.object); !at.IsZero() {
			if o := w.lost.Load(); o == nil || !o.since.After(at) {
				return errClosed
			}
			// Redis was lost anew since: Kubernetes tells what became of the group.
			l.Keys = nil
			delete(l.object.Annotations, closedAt)
		}
		before := l.Keys
		if err := w.run(l, script); err != nil || reflect.DeepEqual(before, l.Keys) {
			return err
		}
		if err := w.Ledgers.write(ctx, l); !stale(err) {
			return err
		}
		if err := pause(ctx, rand.N(20*time.Millisecond)); err != nil {
			return fmt.Errorf("the ledger of group %s is written by others all the time: %w", tag, err)
		}
	}
}

// run loads a ledger's keys into a Redis inside of this process, which no network reaches,
// and takes over what the script makes of them. Time does not go back, whoever's clock is slow.
func (w windows) run(l *ledger, script func(*window.Windows) error) error {
	server := miniredis.NewMiniRedis()
	defer server.Close()
	inside := redis.NewClient(&redis.Options{PoolSize: 1, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		Dialer: func(context.Context, string, string) (net.Conn, error) { return server.Dial() }})
	if now := w.Clock.Now(); now.After(l.At) {
		l.At = now
	}
	server.SetTime(l.At.Add(-w.Clock.Offset()))
	for name, e := range l.Keys {
		if left := time.UnixMilli(e.Until).Sub(l.At); left > 0 {
			if err := e.put(server, name, left); err != nil {
				return fmt.Errorf("loading key %s: %w", name, err)
			}
		}
	}
	err := script(window.New(inside, w.Prefix, w.dedup, w.Clock, w.Corrupt))
	if err := errors.Join(err, inside.Close()); err != nil {
		return err
	}
	l.Keys = map[string]entry{}
	for _, name := range server.Keys() {
		if l.Keys[name], err = taken(server, name, l.At); err != nil {
			return fmt.Errorf("reading key %s: %w", name, err)
		}
	}
	return nil
}

func (e entry) put(server *miniredis.Miniredis, name string, left time.Duration) error {
	switch {
	case e.Text != "":
		if err := server.Set(name, e.Text); err != nil {
			return err
		}
	case len(e.Set) > 0:
		for member, score := range e.Set {
			if _, err := server.ZAdd(name, score, member); err != nil {
				return err
			}
		}
	default:
		for field, value := range e.Hash {
			server.HSet(name, field, value)
		}
	}
	server.SetTTL(name, left)
	return nil
}

func taken(server *miniredis.Miniredis, name string, now time.Time) (e entry, err error) {
	left := server.TTL(name)
	switch server.Type(name) {
	case "string":
		e.Text, err = server.Get(name)
	case "zset":
		e.Set, err = server.SortedSet(name)
	default:
		var fields []string
		fields, err = server.HKeys(name)
		e.Hash = map[string]string{}
		for _, field := range fields {
			e.Hash[field] = server.HGet(name, field)
		}
		if marker(name) {
			left = min(left, markerLife)
		}
	}
	e.Until = now.Add(left).UnixMilli()
	return e, err
}

// marker reports whether a key is the marker of a request.
func marker(name string) bool { return strings.Contains(name, "}:r:") }

// pause waits, if ctx allows.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
