package fault

import (
	"fmt"

	"github.com/Shopify/toxiproxy/v2/toxics"
)

// redisBandwidth limits the rate of each connection, each direction on its own. A hit is
// one read, of up to 64 KiB.
type redisBandwidth struct{ plainRedisFault }

func (f *redisBandwidth) request(*redisConn, request) action { return f.limit() }
func (f *redisBandwidth) reply(*redisConn) action            { return f.limit() }

func (f *redisBandwidth) limit() action {
	if !f.hit() {
		return action{}
	}
	toxic := &toxics.BandwidthToxic{Rate: f.spec.BytesPerSecond / 1000} // the library counts kB/s
	return action{slow: &slowdown{toxic: toxic, until: f.gone}}
}

func redisBandwidthKind() Kind {
	return Kind{Target: Redis, Name: Bandwidth, Reads: with(ofReplica, "bytesPerSecond"),
		Doc: "limits each connection to bytesPerSecond, each direction on its own",
		check: func(s Spec) *SpecError {
			if s.BytesPerSecond < 1000 {
				return &SpecError{"bytesPerSecond", fmt.Sprintf("%d is too slow for a Redis connection", s.BytesPerSecond),
					"write at least 1000; it is applied in whole thousands"}
			}
			return nil
		},
		conn: func(a *armed) redisFault { return &redisBandwidth{plainRedisFault{a}} }}
}
