package fault

import "context"

func redisNoScriptKind() Kind {
	return Kind{Target: Redis, Name: NoScript, OwnServer: true, Reads: ofReplica,
		Doc: "the server forgets its scripts before EVALSHA; applied are its NOSCRIPT answers",
		site: func(ctx context.Context, s *Site, a *armed) (Handle, error) {
			f, err := atServer(ctx, s, a, "errorstat_NOSCRIPT")
			if err != nil {
				return nil, err
			}
			before := &redisBefore{plainRedisFault: plainRedisFault{a}, command: "EVALSHA",
				do: func(ctx context.Context) (bool, error) { return true, f.conn.ScriptFlush(ctx).Err() }}
			f.most = true
			f.undo = func(context.Context) error { return before.failed() }
			s.Redis.attach(a, before)
			return f, nil
		}}
}
