package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/gateway"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/scenario/play"
	"github.com/stormproof/stormproof/harness/system"
)

// webhook is where alerts go.
const webhook = "/api/v1/alerts/alertmanager"

// poll is how often a test that waits looks again; it is the scenario's own interval.
const poll = 5 * time.Millisecond

// world is what all tests share: where the API server and Redis are.
type world struct {
	dir         string
	description environment.Description
	rest        *rest.Config
	redis       *redis.Client
	// gateway is what the gateway itself took in the last run of calls.
	gateway time.Duration
}

func newWorld(t *testing.T, d environment.Description, dir string) *world {
	c, err := d.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.QPS, c.Burst = play.ClientQPS, play.ClientBurst // as the harness limits its own client
	return &world{dir: dir, description: d, rest: c, redis: redis.NewClient(&redis.Options{Addr: d.Redis.Addr, Password: d.Redis.Password})}
}

// service is a gateway inside this process.
type service struct {
	*gateway.Gateway
	cancel context.CancelFunc
	done   chan error
	log    *os.File
}

var _ system.Factory = startGateway

// startGateway starts it as `stormproof run` does; all tests use it, and the scenario gets it as its factory.
func startGateway(ctx context.Context, spec system.Spec) (system.Instance, error) {
	c := config.Defaults()
	c.Listen.Public, c.Listen.Admin = "127.0.0.1:0", "127.0.0.1:0"
	c.Redis.Addr, c.Redis.Password, c.Redis.Prefix, c.Redis.ClientName = spec.RedisAddr, spec.RedisPassword, spec.RedisPrefix, spec.Name
	c.Kubernetes.Namespace = spec.Namespace
	log, err := os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the gateway's log: %w", err)
	}
	s := &service{done: make(chan error, 1), log: log}
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.Gateway, err = gateway.New(gateway.Options{Config: c, RESTConfig: spec.Kubernetes, Logger: logger}); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go func() { s.done <- s.Run(runCtx) }()
	return s, nil
}

// URL is the public listener.
func (s *service) URL() string { return "http://" + s.Addr() }

// AdminURL is the private listener.
func (s *service) AdminURL() string { return "http://" + s.AdminAddr() }

// Stop ends the gateway and waits for it.
func (s *service) Stop(context.Context) error {
	s.cancel()
	return errors.Join(<-s.done, s.log.Close())
}

// spec is the gateway of the test id, for those who start it without the harness.
func (w *world) spec(id string) system.Spec {
	return system.Spec{Name: id, Namespace: id, RedisAddr: w.description.Redis.Addr, RedisPassword: w.description.Redis.Password,
		RedisPrefix: prefix(id), Kubernetes: w.rest, LogFile: filepath.Join(w.dir, id+".log")}
}

func prefix(id string) string { return "bench:" + id + ":" }

// payload is a webhook of Alertmanager's version 4 with one alert.
func payload(namespace string) []byte {
	labels := map[string]string{"alertname": "CPUHigh", "namespace": namespace, "pod": "a", "severity": "warning", "environment": "staging"}
	b, err := json.Marshal(map[string]any{"version": "4", "status": "firing", "receiver": "bench", "groupKey": "{}:{alertname=\"CPUHigh\"}",
		"alerts": []any{map[string]any{"status": "firing", "labels": labels, "annotations": map[string]string{"summary": "too hot"},
			"startsAt": time.Now().UTC(), "generatorURL": "http://prometheus.example/graph"}}})
	if err != nil {
		panic(err) // strings and a time always encode
	}
	return b
}

// answer is the body of a 201.
type answer struct {
	Alerts []struct {
		Verdict            string
		RemediationRequest struct{ Name string }
	}
}
