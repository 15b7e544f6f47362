package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/why"
	"github.com/stormproof/stormproof/gateway/window"
)

// Why asks the cluster and the Redis of a configuration where a fingerprint is. It changes
// nothing, and needs no gateway that runs.
func Why(ctx context.Context, o Options, fingerprint string) (report why.Report, err error) {
	scheme, err := newScheme()
	if err != nil {
		return report, err
	}
	transport, wrapped, err := newTransport(o.RESTConfig)
	if err != nil {
		return report, err
	}
	defer transport.CloseIdleConnections()
	kubernetes, err := newClient(o, scheme, wrapped)
	if err != nil {
		return report, err
	}
	store, err := newRedis(o.Config.Redis)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c, now := o.Config, clock.Real{}
	report, err = why.Asker{Client: kubernetes, Clock: now, Config: c,
		Windows: window.New(store, c.Redis.Prefix, c.Dedup.Window, now, nil),
		Writer: remediation.NewWriter(remediation.Options{Client: kubernetes, Caller: remediation.Caller{Timeout: c.Kubernetes.Timeout}, Clock: now,
			Window: c.Dedup.Window, HoldWhileActive: c.Dedup.HoldWhileActive, Fallback: c.Kubernetes.FallbackNamespace})}.Ask(ctx, fingerprint)
	var unknown *why.UnknownError
	if err != nil && !errors.As(err, &unknown) {
		err = fmt.Errorf("asking the cluster (name it by -kubeconfig FILE): %w", err)
	}
	return report, err
}
