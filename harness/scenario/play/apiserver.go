package play

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/scenario"
)

// ownAPIServer is an API server that a scenario has for itself, nil where it shares one.
type ownAPIServer struct {
	*cluster.Cluster
	// transport is not client-go's cached one: its connections end with the scenario.
	transport *http.Transport
}

// reachKubernetes returns the harness's own way to the API server: the run's, or the scenario's
// own, which it starts.
func (w *world) reachKubernetes(ctx context.Context) (*rest.Config, client.WithWatch, error) {
	if w.scenario.Needs.APIServer != "own" {
		w.auditLog = w.host.Environment.AuditLog
		return w.host.kubernetes()
	}
	c, err := cluster.Start(context.WithoutCancel(ctx), cluster.Options{Kind: cluster.Envtest, CRDs: v1alpha1.CRDs,
		Bare: w.scenario.Needs.NoCRDs, Dir: filepath.Join(w.dir, "api-server")})
	if err != nil {
		return nil, nil, fmt.Errorf("starting the scenario's own API server: %w", err)
	}
	w.ownAPI, w.auditLog = &ownAPIServer{Cluster: c, transport: &http.Transport{ForceAttemptHTTP2: true}}, c.AuditLog
	if w.ownAPI.transport.TLSClientConfig, err = rest.TLSConfigFor(c.Config); err != nil {
		return nil, nil, fmt.Errorf("reading the credentials of the scenario's own API server: %w", err)
	}
	return connect(c.Config, &http.Client{Transport: w.ownAPI.transport})
}

// connect returns a client of an API server, and the configuration that it was made from;
// through is nil for a transport of client-go.
func connect(config *rest.Config, through *http.Client) (*rest.Config, client.WithWatch, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, nil, err
	}
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = ClientQPS, ClientBurst
	kube, err := client.NewWithWatch(config, client.Options{Scheme: scheme, HTTPClient: through})
	return config, kube, err
}

// doAPIServer does something to the scenario's own API server. The harness's watch does not
// live through any of it.
func (w *world) doAPIServer(ctx context.Context, what string) error {
	if err := w.act("api-server", "", "", what); err != nil {
		return err
	}
	switch what {
	case scenario.StopAPIServer:
		return errors.Join(w.watch.stop(), w.ownAPI.KillAPIServer())
	case scenario.StartAPIServer:
		return errors.Join(w.ownAPI.StartAPIServer(), w.watch.open(ctx))
	case scenario.InstallCRDs:
		return errors.Join(w.ownAPI.InstallCRDs(ctx), w.watch.open(ctx))
	default:
		return errors.Join(w.watch.stop(), w.ownAPI.StoreAs(ctx, scenario.NextVersion), w.watch.open(ctx))
	}
}

// stopAPIServer ends the scenario's own API server, with all that is in it.
func (w *world) stopAPIServer(ctx context.Context) error {
	if w.ownAPI == nil {
		return nil
	}
	w.ownAPI.transport.CloseIdleConnections()
	err := w.ownAPI.Stop(ctx)
	w.ownAPI, w.kube = nil, nil
	return err
}
