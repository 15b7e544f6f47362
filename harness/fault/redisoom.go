package fault

import "context"

// A limit of one byte is passed at once, so the very first write is refused, whatever the
// server holds.
func redisOOMKind() Kind {
	return Kind{Target: Redis, Name: OOM, OwnServer: true,
		Doc: "the server refuses writes: maxmemory is used up and nothing is evicted",
		site: func(ctx context.Context, s *Site, a *armed) (Handle, error) {
			f, err := atServer(ctx, s, a, "errorstat_OOM")
			if err != nil {
				return nil, err
			}
			return f.begin(ctx, "maxmemory-policy", "noeviction", "maxmemory", "1")
		}}
}
