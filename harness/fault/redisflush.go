package fault

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

func redisFlushKind() Kind {
	return Kind{Target: Redis, Name: Flush, Reads: ofCommand,
		Doc: "the scenario's keys are gone before (matching) requests; applied are the times that there were any",
		site: func(_ context.Context, s *Site, a *armed) (Handle, error) {
			f := &redisFlush{armed: a}
			f.before = &redisBefore{plainRedisFault: plainRedisFault{a}, command: a.spec.Match.Command,
				do: func(ctx context.Context) (bool, error) {
					dropped, err := flush(ctx, s)
					return dropped > 0, err
				}}
			s.Redis.attach(a, f.before)
			return f, nil
		}}
}

type redisFlush struct {
	*armed
	before *redisBefore
}

// Remove implements Handle. What was forgotten stays forgotten: that is what it tests.
func (f *redisFlush) Remove(ctx context.Context) error {
	_ = f.armed.Remove(ctx) // never fails
	if err := f.before.failed(); err != nil {
		return fmt.Errorf("flushing for fault %s: %w", f.spec.ID, err)
	}
	return nil
}

// flush removes every key of an own server, the scenario's keys of a shared one, and says
// how many there were.
func flush(ctx context.Context, s *Site) (int64, error) {
	if s.Own {
		var size *redis.IntCmd
		_, err := s.Server.TxPipelined(ctx, func(p redis.Pipeliner) error {
			size = p.DBSize(ctx)
			p.FlushAll(ctx)
			return nil
		})
		return size.Val(), err
	}
	var keys []string
	for iter := s.Server.Scan(ctx, 0, s.Prefix+"*", 1000).Iterator(); ; {
		if !iter.Next(ctx) {
			if err := iter.Err(); err != nil || len(keys) == 0 {
				return 0, err
			}
			return s.Server.Del(ctx, keys...).Result()
		}
		keys = append(keys, iter.Val())
	}
}
