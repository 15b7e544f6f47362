package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/degraded"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/policy"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/shadow"
	"github.com/stormproof/stormproof/gateway/window"
)

// process is the intake of the configuration in force. A batch that has begun ends by the
// rules that it began with.
type process struct {
	now    atomic.Pointer[intake.Intake]
	shadow *shadow.Shadow
	// lost, if not nil, decides where Redis does not.
	lost *degraded.Switch
}

// Process implements server.Processor.
func (p *process) Process(ctx context.Context, alerts []alert.Alert) ([]intake.Verdict, error) {
	decide := p.now.Load().Process
	if p.lost != nil {
		decide = func(ctx context.Context, alerts []alert.Alert) ([]intake.Verdict, error) {
			return p.lost.Process(ctx, p.now.Load(), alerts)
		}
	}
	verdicts, err := decide(ctx, alerts)
	if err == nil {
		p.shadow.Offer(alerts, verdicts)
	}
	return verdicts, err
}

// decideBy makes the rules of a configuration those of the batches to come.
func (g *Gateway) decideBy(c config.Config) error {
	rules, err := policy.Compile(c.Policy)
	if err != nil {
		return fmt.Errorf("compiling the policy: %w", err)
	}
	writer := remediation.NewWriter(remediation.Options{Client: g.kubernetes, Caller: g.caller, Clock: g.options.Clock,
		Window: c.Dedup.Window, HoldWhileActive: c.Dedup.HoldWhileActive, Fallback: c.Kubernetes.FallbackNamespace,
		LastSeen: func(uid string) time.Time { return g.counters.Known(uid).LastSeen }})
	windows := window.New(g.redis, c.Redis.Prefix, c.Dedup.Window, g.options.Clock, g.metrics.Corrupt)
	windows.Start = g.observeRedis
	g.windows.Store(windows)
	var deciding intake.Windows = windows
	if g.process.lost != nil {
		deciding = g.process.lost.Guard(windows)
	}
	g.process.now.Store(&intake.Intake{Previous: g.previous(c.Dedup), Config: c, Policy: rules, Writer: writer, Counters: g.counters, Pages: g.pages, Clock: g.options.Clock,
		Windows: deciding})
	return g.tryShadow(c, rules)
}

// previous is the rule of fingerprints before this one: what the configuration says, else
// what was in force until now.
func (g *Gateway) previous(d config.Dedup) *intake.Previous {
	switch now := g.process.now.Load(); {
	case d.Previous != nil:
		return &intake.Previous{Identity: d.Previous.AlertIdentity()}
	case now == nil:
		return nil
	case now.Config.Dedup.AlertIdentity().Version() != d.AlertIdentity().Version():
		return &intake.Previous{Identity: now.Config.Dedup.AlertIdentity()}
	default:
		return now.Previous
	}
}

// tryShadow tries the other rules that the configuration holds, if any, on keys of their own.
func (g *Gateway) tryShadow(c config.Config, inForce *policy.Policy) error {
	if c.Shadow == nil {
		g.process.shadow.Rest()
		return nil
	}
	other := c.With(*c.Shadow)
	return g.process.shadow.Try(inForce, other,
		window.New(g.redis, c.Redis.Prefix+"shadow:", other.Dedup.Window, g.options.Clock, nil), g.options.Clock)
}

// follow takes over changes of the configuration file until ctx ends.
func (g *Gateway) follow(ctx context.Context) {
	file := g.options.ConfigFile
	err := config.Watch(ctx, file, g.options.Again, func(content []byte, err error) {
		var c config.Config
		if err == nil {
			c, err = config.Decode(content, file)
		}
		if err == nil {
			err = g.reload(ctx, c)
		}
		if g.refused = err != nil; g.refused {
			g.metrics.Reloaded(err)
			g.log.ErrorContext(ctx, "configuration refused, the old one stays in force", "file", file, "error", err)
		}
	})
	if err != nil {
		g.log.ErrorContext(ctx, "changes of the configuration will not be seen", "file", file, "error", err)
	}
}

// reload takes over a valid configuration, whole or not at all. One that says what is in
// force already is no change, unless it takes a refused one back.
func (g *Gateway) reload(ctx context.Context, c config.Config) error {
	changed := config.Changed(g.config, c)
	if len(changed) == 0 && !g.refused {
		return nil
	}
	var errs []error
	for _, key := range changed {
		if config.NeedsRestart(key) {
			errs = append(errs, fmt.Errorf("%s is read at the start only: restart the gateway, or take the change back", key))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	gate, err := g.gate(c)
	if err != nil {
		return err
	}
	if err := g.decideBy(c); err != nil {
		return err
	}
	g.server.SetLimits(c.Limits)
	g.server.Authenticate(gate)
	// Told before the level changes, which might swallow it.
	g.log.InfoContext(ctx, "configuration reloaded", "file", g.options.ConfigFile, "changed", changed)
	g.metrics.Reloaded(nil)
	if g.options.Level != nil {
		g.options.Level.Set(c.Log.Slog())
	}
	g.config = c
	return nil
}
