package fault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

// The server is told to load its own data again and to take its time over each key. It
// looks at its clients every so many bytes, so the keys that we add are that large. The
// load ends by itself after about loadKeys times loadDelay.
const (
	loadKeys     = 600
	loadDelay    = 50 * time.Millisecond
	loadInterval = 2048
)

func redisLoadingKind() Kind {
	return Kind{Target: Redis, Name: Loading, OwnServer: true,
		Doc: "the server loads its data again and answers LOADING, for 30 s at most",
		site: func(ctx context.Context, s *Site, a *armed) (Handle, error) {
			f, err := atServer(ctx, s, a, "errorstat_LOADING")
			if err != nil {
				return nil, err
			}
			return startLoading(ctx, s, f)
		}}
}

func startLoading(ctx context.Context, s *Site, f *serverFault) (Handle, error) {
	bulk := s.Prefix + "bulk:"
	if err := addBulk(ctx, f.conn, bulk); err != nil {
		return nil, errors.Join(fmt.Errorf("adding keys to load for fault %s: %w", f.spec.ID, err), f.conn.Close())
	}
	// One that loads must not be asked twice, and answers when it is done.
	options := *s.Server.Options()
	options.MaxRetries, options.ReadTimeout, options.PoolSize, options.ContextTimeoutEnabled = -1, 2*loadKeys*loadDelay, 1, true
	loader := redis.NewClient(&options)
	done := make(chan error, 1)
	f.undo = func(ctx context.Context) error { return removeBulk(ctx, f.conn, bulk) }
	h, err := f.begin(ctx, "loading-process-events-interval-bytes", strconv.Itoa(loadInterval/2),
		"key-load-delay", strconv.FormatInt(loadDelay.Microseconds(), 10))
	if err != nil {
		return nil, errors.Join(err, loader.Close())
	}
	back := f.undo // sets the delay to what it was, which ends the load at once
	f.undo = func(ctx context.Context) error {
		if err := f.conn.ConfigSet(ctx, "key-load-delay", "0").Err(); err != nil {
			return err
		}
		select {
		case err := <-done:
			return errors.Join(err, loader.Close(), back(ctx))
		case <-ctx.Done():
			return errors.Join(ctx.Err(), loader.Close())
		}
	}
	go func() { done <- loader.Do(context.WithoutCancel(ctx), "DEBUG", "RELOAD").Err() }() // undo waits for it
	err = wait.Until(ctx, "the server is loading", healthyWithin, time.Millisecond, func(ctx context.Context) wait.Look {
		n, err := serverCount(ctx, f.conn, "loading")
		return wait.Look{Done: err == nil && n == 1, Err: err}
	})
	if err != nil {
		return nil, errors.Join(err, takeBack(ctx, h))
	}
	return h, nil
}

func addBulk(ctx context.Context, c *redis.Conn, prefix string) error {
	value := strings.Repeat("0123456789abcdef", loadInterval/16)
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range loadKeys {
			// Different from each other, or they would be stored compressed to nothing.
			p.HSet(ctx, prefix+strconv.Itoa(i), "a", value+strconv.Itoa(i))
		}
		return nil
	})
	return err
}

func removeBulk(ctx context.Context, c *redis.Conn, prefix string) error {
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range loadKeys {
			p.Del(ctx, prefix+strconv.Itoa(i))
		}
		return nil
	})
	return err
}
