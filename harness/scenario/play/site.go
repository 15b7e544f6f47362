package play

import (
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/harness/fault"
)

// lifetimeSlack is how much longer than a round's own bounds what it made may be in use.
const lifetimeSlack = 10 * time.Minute

// keptFor is how long what was kept on purpose is left alone.
const keptFor = 24 * time.Hour

// until is when whatever this world made in the cluster is surely no longer in use.
func (w *world) until() time.Time {
	bound := w.scenario.Timeout.D()
	if bound == 0 {
		bound = defaultTimeout
	}
	if w.host.Keep {
		bound += keptFor
	}
	return time.Now().Add(bound + cleanupTimeout + lifetimeSlack)
}

// faultSite is what this world's faults may break.
func (w *world) faultSite() *fault.Site {
	w.siteOnce.Do(func() {
		w.site = &fault.Site{Redis: w.redisProxy, Kubernetes: w.kubeProxy, Own: w.ownRedis != nil,
			Prefix: w.prefix, Run: w.host.RunID, Until: w.until()}
		if w.redisProxy != nil {
			w.site.Server, _ = w.redis.(*redis.Client)
		}
	})
	return w.site
}
