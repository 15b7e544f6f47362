package gateway

import (
	"context"
	"time"

	"github.com/stormproof/stormproof/gateway/server"
)

// observeKubernetes measures attempts at the API server.
func observeKubernetes(m *server.Metrics) func(context.Context, string, string) (context.Context, func(error)) {
	return func(ctx context.Context, verb, resource string) (context.Context, func(error)) {
		begin := time.Now()
		return ctx, func(err error) { m.Kubernetes(verb, resource, time.Since(begin), err) }
	}
}

// observeRedis measures calls of scripts.
func (g *Gateway) observeRedis(ctx context.Context, script string) (context.Context, func(error)) {
	begin := time.Now()
	return ctx, func(err error) { g.metrics.Redis(script, time.Since(begin), err) }
}
