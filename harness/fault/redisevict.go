package fault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The filling is ours and has no TTL, so the server evicts everybody else's keys, which
// promise P4 says have one. The room is what the scenario may still write afterwards.
const (
	fillPiece = 256 << 10
	fillRoom  = 4 << 20
	fillMost  = 64 << 20
)

func redisEvictKind() Kind {
	return Kind{Target: Redis, Name: Evict, OwnServer: true,
		Doc: "the server evicts every key that has a TTL, once, because its memory fills up",
		site: func(ctx context.Context, s *Site, a *armed) (Handle, error) {
			f, err := atServer(ctx, s, a, "evicted_keys")
			if err != nil {
				return nil, err
			}
			used, err := serverCount(ctx, f.conn, "used_memory")
			if err != nil {
				return nil, errors.Join(err, f.conn.Close())
			}
			fill := s.Prefix + "fill"
			f.undo = func(ctx context.Context) error { return f.conn.Del(ctx, fill).Err() }
			h, err := f.begin(ctx, "maxmemory-policy", "volatile-ttl", "maxmemory", strconv.FormatInt(used+fillRoom, 10))
			if err != nil {
				return nil, err
			}
			if err := squeeze(ctx, f.conn, fill); err != nil {
				return nil, errors.Join(fmt.Errorf("filling the memory for fault %s: %w", a.spec.ID, err), takeBack(ctx, h))
			}
			return h, nil
		}}
}

// squeeze fills the memory until the server has nothing left to evict, then lets go.
func squeeze(ctx context.Context, c *redis.Conn, key string) error {
	piece := strings.Repeat("x", fillPiece)
	for range fillMost / fillPiece {
		err := c.RPush(ctx, key, piece).Err()
		if redis.IsOOMError(err) {
			return c.Del(ctx, key).Err()
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%d MiB fitted into %d", fillMost>>20, fillRoom>>20)
}
