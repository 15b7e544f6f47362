package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/stormproof/stormproof/gateway"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/deploy"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/suite"
	"github.com/stormproof/stormproof/harness/system"
)

// wiring introduces the gateway to the harness.
func wiring() suite.Wiring {
	return suite.Wiring{System: startGateway, Binary: gatewayBinary, Pod: gatewayPod, Settings: gatewaySettings, Rules: deploy.Rules}
}

// gatewayConfig is the gateway's configuration under a scenario's overrides.
func gatewayConfig(overrides map[string]any) (config.Config, error) {
	b := []byte{}
	if len(overrides) > 0 {
		var err error
		if b, err = yaml.Marshal(overrides); err != nil {
			return config.Config{}, fmt.Errorf("encoding the scenario's gateway block: %w", err)
		}
	}
	return config.Decode(b, "gateway")
}

// freesWithin is the contract's: how long after its object was deleted a fingerprint is free.
const freesWithin = 2 * time.Second

// gatewaySettings tells the judge how a gateway with these overrides behaves.
func gatewaySettings(overrides map[string]any) (history.Begin, error) {
	read := maps.Clone(overrides)
	delete(read, "telemetry") // it may name a sink, which is not open yet, and is nothing to the judge
	c, err := gatewayConfig(read)
	if err != nil {
		return history.Begin{}, err
	}
	out := history.Begin{Window: c.Dedup.Window, HoldWhileActive: c.Dedup.HoldWhileActive,
		IgnoredLabels: c.Dedup.IgnoredLabels, Deadline: c.Limits.RequestTimeout, FreesWithin: freesWithin}
	longest := c.Dedup.Window
	for _, r := range c.Storm.Rules {
		longest = max(longest, r.Window)
		out.Storms = append(out.Storms, history.StormRule{Name: r.Name, By: r.By, Threshold: r.Threshold, Window: r.Window})
	}
	// Keys outlive their windows: a decision, and not their disappearance, ends an incident.
	out.MaxTTL = 2*longest + time.Minute
	return out, nil
}

// redisPlace says in the gateway's words where its world's Redis is. A password and fields of
// tls that a scenario gives itself stay: it wants to see them refused.
func redisPlace(spec system.Spec) map[string]any {
	place := map[string]any{"prefix": spec.RedisPrefix, "clientName": spec.Name}
	given, _ := spec.Config["redis"].(map[string]any)
	if _, own := given["password"]; !own && spec.RedisPassword != "" {
		place["password"] = spec.RedisPassword
	}
	t := spec.RedisTopology
	if t == nil {
		place["addr"] = spec.RedisAddr
		return place
	}
	switch t.Topology {
	case redis.Sentinel:
		place["sentinel"] = map[string]any{"master": t.MasterName, "addrs": t.Addrs, "password": t.Password}
	case redis.Cluster:
		place["cluster"] = map[string]any{"addrs": t.Addrs}
	default:
		place["addr"] = t.Addrs[0]
	}
	if t.CAFile != "" {
		tls := map[string]any{"enabled": true, "caFile": t.CAFile}
		if own, ok := given["tls"].(map[string]any); ok {
			maps.Copy(tls, own)
		}
		place["tls"] = tls
	}
	return place
}

// inProcess is a gateway inside this process: one race detector watches both it and the
// harness.
type inProcess struct {
	*gateway.Gateway
	clock  *clock.Shifted
	cancel context.CancelFunc
	done   chan error
	log    *os.File
	file   string
	places map[string]map[string]any
}

func startGateway(ctx context.Context, spec system.Spec) (system.Instance, error) {
	// Ports are held open until the gateway ends. After a restart it has other ones, which
	// only the balancer and the harness need to know.
	places := map[string]map[string]any{
		"listen":     {"public": "127.0.0.1:0", "admin": "127.0.0.1:0"},
		"redis":      redisPlace(spec),
		"kubernetes": gatewayCluster(spec),
	}
	file := filepath.Join(spec.Dir, "gateway.yaml")
	if err := writeConfig(file, spec.Config, places); err != nil {
		return nil, err
	}
	c, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the gateway's log: %w", err)
	}
	g := &inProcess{clock: &clock.Shifted{}, done: make(chan error, 1), log: log, file: file, places: places}
	g.clock.Set(spec.Offset)
	g.clock.Skew(spec.Skew)
	if !spec.Frozen.IsZero() {
		g.clock.Freeze(spec.Frozen)
	}
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g.Gateway, err = gateway.New(gateway.Options{Config: c, ConfigFile: file, RESTConfig: spec.Kubernetes, Clock: g.clock, Logger: logger})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g.cancel = cancel
	go func() { g.done <- g.Run(runCtx) }()
	return g, nil
}

// URL is the public listener.
func (g *inProcess) URL() string { return "http://" + g.Addr() }

// AdminURL is the private listener.
func (g *inProcess) AdminURL() string { return "http://" + g.AdminAddr() }

var _ system.Advancer = (*inProcess)(nil)

// Advance sets the gateway's clock.
func (g *inProcess) Advance(_ context.Context, offset time.Duration) error {
	g.clock.Set(offset)
	return nil
}

var _ system.Reloader = (*inProcess)(nil)

// Reload edits the gateway's configuration file.
func (g *inProcess) Reload(_ context.Context, overrides map[string]any) error {
	return writeConfig(g.file, overrides, g.places)
}

// Stop ends the gateway and waits for it.
func (g *inProcess) Stop(ctx context.Context) error {
	g.cancel()
	select {
	case err := <-g.done:
		return errors.Join(err, g.log.Close())
	case <-ctx.Done():
		return fmt.Errorf("the gateway did not stop: %w", ctx.Err())
	}
}

// gatewaySource is the gateway as a program of its own, with crash points and a clock that
// can be set. It is raced when this program is, which also lets Go's cache serve both.
func gatewaySource(dir string) system.Source {
	return system.Source{Dir: dir, Package: "github.com/stormproof/stormproof/gateway/cmd/gateway",
		Tags: []string{"crashpoints"}, Race: raceEnabled}
}

// gatewayBinary starts gateways from a program that was built from gatewaySource.
func gatewayBinary(path string) system.Factory {
	return func(ctx context.Context, spec system.Spec) (system.Instance, error) {
		c, err := gatewayFile(spec)
		if err != nil {
			return nil, err
		}
		program := system.Program{Path: path, Args: []string{"-config", "{{dir}}/gateway.yaml", "-kubeconfig", "{{kubeconfig}}"},
			Env: map[string]string{"GORACE": "halt_on_error=1"}, Files: map[string]string{"gateway.yaml": string(c)}, Clock: gatewayClock}
		return program.Start(ctx, spec)
	}
}

// gatewayClock is there in a gateway that is built for tests.
var gatewayClock = system.Clock{Method: "POST", Path: "/testing/clock?offset={{offset}}"}

// gatewayImage is the gateway for an image: the same but for the race detector, which needs
// a C library.
func gatewayImage(dir string) system.Source {
	s := gatewaySource(dir)
	s.Race, s.Static = false, true
	return s
}

// gatewayPod starts gateways as Pods, as they run in production: configured by a file, with
// the service account that Kubernetes gives them.
func gatewayPod(pod system.Pod) system.Factory {
	return func(ctx context.Context, spec system.Spec) (system.Instance, error) {
		if spec.RedisTopology != nil {
			return nil, errors.New("sentinels, clusters and Redis with TLS listen on this host's loopback, which no Pod reaches: leave out --system cluster, or needs.topology and needs.tls")
		}
		c, err := gatewayFile(spec)
		if err != nil {
			return nil, err
		}
		pod.Program = system.Program{Path: system.ImageProgram, Args: []string{"-config", "{{dir}}/gateway.yaml"},
			Files: map[string]string{"gateway.yaml": string(c)}, Clock: gatewayClock}
		if pod.Rules, err = deploy.Rules(); err != nil {
			return nil, err
		}
		return pod.Start(ctx, spec)
	}
}

// gatewayFile is the scenario's overrides with the places of the world filled in.
func gatewayFile(spec system.Spec) ([]byte, error) {
	if _, err := gatewayConfig(spec.Config); err != nil {
		return nil, err
	}
	return placedConfig(spec.Config, map[string]map[string]any{
		"listen":     {"public": "{{listen}}", "admin": "{{admin}}"},
		"redis":      redisPlace(spec),
		"kubernetes": gatewayCluster(spec),
		"log":        {"level": "debug"},
	})
}

// gatewayCluster is where a scenario's objects are. A replica that was killed is not waited
// for long before another one reconciles.
func gatewayCluster(spec system.Spec) map[string]any {
	return map[string]any{"namespace": spec.Namespace, "namespaces": spec.Namespaces,
		"leaderElection": map[string]any{"leaseDuration": "10s"}}
}

// placedConfig is a scenario's overrides with the places of its world laid over them.
func placedConfig(overrides map[string]any, places map[string]map[string]any) ([]byte, error) {
	doc := maps.Clone(overrides)
	if doc == nil {
		doc = map[string]any{}
	}
	for section, values := range places {
		merged := map[string]any{}
		if given, ok := doc[section].(map[string]any); ok {
			maps.Copy(merged, given)
		}
		maps.Copy(merged, values)
		doc[section] = merged
	}
	b, err := yaml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encoding the gateway's configuration: %w", err)
	}
	return b, nil
}

// writeConfig replaces the file at once, as a ConfigMap is.
func writeConfig(file string, overrides map[string]any, places map[string]map[string]any) error {
	b, err := placedConfig(overrides, places)
	if err != nil {
		return err
	}
	err = errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file+".new", b, 0o600))
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return fmt.Errorf("writing the gateway's configuration: %w", err)
	}
	return nil
}
