package fault

import (
	"context"
	"strconv"
)

// From the client's side a pool is exhausted without this: latency, and more requests at
// once than the pool has connections.
func redisConnectionsKind() Kind {
	return Kind{Target: Redis, Name: Connections, OwnServer: true,
		Doc: "the server keeps the connections that it has and refuses new ones: maxclients is reached",
		site: func(ctx context.Context, s *Site, a *armed) (Handle, error) {
			f, err := atServer(ctx, s, a, "rejected_connections")
			if err != nil {
				return nil, err
			}
			n, err := serverCount(ctx, f.conn, "connected_clients")
			if err != nil {
				_ = f.conn.Close()
				return nil, err
			}
			return f.begin(ctx, "maxclients", strconv.FormatInt(n, 10))
		}}
}
