package gateway

import (
	"context"
	"time"

	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/degraded"
	"github.com/stormproof/stormproof/gateway/reconcile"
)

// newSwitch is what decides where Redis does not. A server without memory, or a replica that
// is read only, answers a ping: so it is written to, a key that soon goes.
func (g *Gateway) newSwitch(c config.Config) *degraded.Switch {
	return degraded.New(degraded.Options{Redis: g.redis, Prefix: c.Redis.Prefix, Patience: 2 * c.Redis.Timeout,
		Probe: func(ctx context.Context) error {
			if err := pingRedis(ctx, g.redis); err != nil {
				return err
			}
			return g.redis.Set(ctx, c.Redis.Prefix+"probe", "1", 10*time.Second).Err()
		},
		Ledgers: degraded.Ledgers{Client: g.kubernetes, Caller: g.caller, Namespace: c.Kubernetes.Namespace},
		Clock:   g.options.Clock, Log: g.log, Corrupt: g.metrics.Corrupt, Lost: g.metrics.Degraded, Alerts: g.metrics.WithoutRedis})
}

// known are the windows as the reconciler sees them.
func (g *Gateway) known() reconcile.Windows {
	if g.process.lost == nil {
		return g.windows.Load()
	}
	return g.process.lost.Both(g.windows.Load(), g.process.now.Load().Config.Dedup.Window)
}
