package fault

import "github.com/Shopify/toxiproxy/v2/toxics"

// redisLatency delays requests on their way to the server. Replies are not delayed again:
// one request is one hit.
type redisLatency struct{ plainRedisFault }

func (f *redisLatency) request(_ *redisConn, r request) action {
	if !r.begins(f.spec.Match.Command) || !f.hit() {
		return action{}
	}
	toxic := &toxics.LatencyToxic{Latency: f.spec.Delay.Milliseconds()}
	return action{slow: &slowdown{toxic: toxic, until: f.gone}}
}

func redisLatencyKind() Kind {
	return Kind{Target: Redis, Name: Latency, Reads: with(ofCommand, "delay"),
		Doc:   "delays each (matching) request by delay",
		check: checkDelay,
		conn:  func(a *armed) redisFault { return &redisLatency{plainRedisFault{a}} }}
}
