package fault

import (
	"context"
	"errors"
	"fmt"
)

// A replica whose master does not answer keeps its data, serves reads and refuses writes:
// what a client meets that has missed a failover. Port 1 of loopback has nobody listening.
func redisReadOnlyKind() Kind {
	return Kind{Target: Redis, Name: ReadOnly, OwnServer: true,
		Doc: "the server is the replica of a master that is gone: it refuses writes",
		site: func(ctx context.Context, s *Site, a *armed) (Handle, error) {
			f, err := atServer(ctx, s, a, "errorstat_READONLY")
			if err != nil {
				return nil, err
			}
			f.undo = func(ctx context.Context) error { return f.conn.Do(ctx, "REPLICAOF", "NO", "ONE").Err() }
			h, err := f.begin(ctx, "replica-read-only", "yes", "replica-serve-stale-data", "yes")
			if err != nil {
				return nil, err
			}
			if err := f.conn.Do(ctx, "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
				return nil, errors.Join(fmt.Errorf("making the server a replica for fault %s: %w", a.spec.ID, err), takeBack(ctx, h))
			}
			return h, nil
		}}
}
