package gateway

import (
	"context"
	"time"

	"github.com/stormproof/stormproof/gateway/server"
	"github.com/stormproof/stormproof/gateway/traces"
)

// observeKubernetes measures attempts at the API server.
func observeKubernetes(m *server.Metrics, t *traces.Traces) func(context.Context, string, string) (context.Context, func(error)) {
	return func(ctx context.Context, verb, resource string) (context.Context, func(error)) {
		begin := time.Now()
		ctx, end := t.Call(ctx, "kubernetes "+verb+" "+resource)
		return ctx, func(err error) { end(m.Kubernetes(verb, resource, time.Since(begin), err)) }
	}
}

// observeRedis measures calls of scripts.
func (g *Gateway) observeRedis(ctx context.Context, script string) (context.Context, func(error)) {
	begin := time.Now()
	ctx, end := g.traces.Call(ctx, "redis "+script)
	return ctx, func(err error) { end(g.metrics.Redis(script, time.Since(begin), err)) }
}
