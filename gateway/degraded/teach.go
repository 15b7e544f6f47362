package degraded

import (
	"context"
	_ "embed" // the script
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/gateway/window"
)

//go:embed teach.lua
var teachSource string

var teachScript = redis.NewScript(teachSource)

// keepClosed is how long a closed ledger stays to be seen.
const keepClosed = time.Minute

// teachAll brings all that ledgers hold to Redis, and deletes those that were closed a while ago.
func (s *Switch) teachAll(ctx context.Context) error {
	all, err := s.Ledgers.all(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		switch at := closed(&o); {
		case at.IsZero():
			_, err = s.teach(ctx, o.Labels[labelLedger], nil)
		case s.Clock.Now().Sub(at) > keepClosed:
			err = s.Ledgers.remove(ctx, &o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// teach brings one ledger to Redis and closes it; there is false where none is in use. The
// claims of the fingerprints that are given are taken back before.
func (s *Switch) teach(ctx context.Context, tag string, claims []string) (there bool, err error) {
	for {
		l, err := s.Ledgers.read(ctx, tag)
		if err != nil || !l.there() || !closed(&l.object).IsZero() {
			return false, err
		}
		if err := s.tell(ctx, l, claims); err != nil {
			return false, fmt.Errorf("teaching Redis what ledger %s holds: %w", l.object.Name, err)
		}
		l.Keys = nil
		l.object.Annotations = map[string]string{closedAt: s.Clock.Now().UTC().Format(time.RFC3339Nano)}
		if err := s.Ledgers.write(ctx, l); !stale(err) {
			return err == nil, err
		}
	}
}

// tell runs the script for some keys at a time: it blocks the server.
func (s *Switch) tell(ctx context.Context, l *ledger, claims []string) error {
	var names []string
	// What Redis lacks beside these would have expired before the newest of them.
	doubt := time.Minute
	for name, e := range l.Keys {
		if e.Text == "" && !marker(name) {
			names = append(names, name)
			doubt = max(doubt, s.left(e))
		}
	}
	if claims == nil {
		claims = []string{}
	}
	back, err := json.Marshal(claims)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for some := range slices.Chunk(names, window.MaxItems) {
		told := make([]entry, len(some))
		for i, name := range some {
			told[i] = l.Keys[name]
			told[i].Until = max(s.left(told[i]), time.Millisecond).Milliseconds()
		}
		text, err := json.Marshal(told)
		if err != nil {
			return err
		}
		if err := teachScript.Run(ctx, s.Redis, some, text, doubt.Milliseconds(), back).Err(); err != nil {
			return err
		}
		back = []byte("[]")
	}
	return nil
}

func (s *Switch) left(e entry) time.Duration { return time.UnixMilli(e.Until).Sub(s.Clock.Now()) }
