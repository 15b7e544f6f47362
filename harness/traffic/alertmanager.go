package traffic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

// AlertmanagerOptions describes a real Alertmanager with one route to one webhook.
type AlertmanagerOptions struct {
	// Binary is the path of the program; Dir an empty folder for its data and log.
	Binary, Dir string
	// WebhookURL receives every notification.
	WebhookURL                               string
	GroupBy                                  []string
	GroupWait, GroupInterval, RepeatInterval time.Duration
}

// Alertmanager is a running Alertmanager.
type Alertmanager struct {
	url  string
	port *process.Port
	proc *process.Process
	log  *os.File
}

// readyWithin bounds the start of the program.
const readyWithin = 20 * time.Second

// StartAlertmanager starts the program on a free loopback port and waits until it is
// ready; ctx bounds only the start. Its log lies in Dir/alertmanager.log. A program that
// did not become ready is a *wait.Error.
func StartAlertmanager(ctx context.Context, o AlertmanagerOptions) (a *Alertmanager, err error) {
	config := filepath.Join(o.Dir, "alertmanager.yml")
	if err := writeAlertmanagerConfig(config, o); err != nil {
		return nil, err
	}
	a = &Alertmanager{}
	defer func() {
		if err != nil {
			err, a = errors.Join(err, a.Stop(context.WithoutCancel(ctx))), nil
		}
	}()
	if a.port, err = process.ReservePort(); err != nil {
		return a, err
	}
	a.url = "http://" + a.port.Addr()
	if a.log, err = os.Create(filepath.Join(o.Dir, "alertmanager.log")); err != nil {
		return a, fmt.Errorf("creating Alertmanager's log: %w", err)
	}
	a.proc, err = process.Start(context.WithoutCancel(ctx), process.Spec{Path: o.Binary, Log: a.log,
		Args: []string{"--config.file=" + config, "--storage.path=" + filepath.Join(o.Dir, "data"),
			"--web.listen-address=" + a.port.Addr(), "--cluster.listen-address="}})
	if err != nil {
		return a, fmt.Errorf("starting Alertmanager: %w", err)
	}
	return a, a.waitReady(ctx)
}

func writeAlertmanagerConfig(path string, o AlertmanagerOptions) error {
	b, err := yaml.Marshal(map[string]any{
		"route": map[string]any{"receiver": "stormproof", "group_by": o.GroupBy,
			"group_wait": o.GroupWait.String(), "group_interval": o.GroupInterval.String(),
			"repeat_interval": o.RepeatInterval.String()},
		"receivers": []any{map[string]any{"name": "stormproof", "webhook_configs": []any{
			map[string]any{"url": o.WebhookURL, "send_resolved": true}}}},
	})
	if err != nil {
		return fmt.Errorf("encoding Alertmanager's configuration: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("writing Alertmanager's configuration: %w", err)
	}
	return nil
}

func (a *Alertmanager) waitReady(ctx context.Context) error {
	err := wait.Until(ctx, "Alertmanager to be ready", readyWithin, 20*time.Millisecond, func(ctx context.Context) wait.Look {
		select {
		case <-a.proc.Done():
			return wait.Look{Hopeless: fmt.Errorf("its process ended: %w", cmp.Or(a.proc.Err(), io.EOF))}
		default:
		}
		err := a.get(ctx, "/-/ready")
		return wait.Look{Done: err == nil, Err: err}
	})
	if err != nil {
		return fmt.Errorf("starting Alertmanager (read %s): %w", a.log.Name(), err)
	}
	return nil
}

func (a *Alertmanager) get(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, nil)
	if err != nil {
		return err
	}
	return a.do(req)
}

func (a *Alertmanager) do(req *http.Request) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(res.Body)
	err = errors.Join(err, res.Body.Close())
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("answer %s from Alertmanager at %s: %s", res.Status, req.URL.Path, bytes.TrimSpace(b))
	}
	return err
}

// EncodeAPI is the body that Alertmanager's API v2 takes. An alert without an EndsAt fires
// until Alertmanager's own resolve timeout; one whose EndsAt has passed is resolved.
func EncodeAPI(alerts []Alert) ([]byte, error) {
	type posted struct {
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations,omitempty"`
		StartsAt     time.Time         `json:"startsAt"`
		EndsAt       *time.Time        `json:"endsAt,omitempty"`
		GeneratorURL string            `json:"generatorURL,omitempty"`
	}
	list := make([]posted, len(alerts))
	for i, al := range alerts {
		list[i] = posted{Labels: al.Labels, Annotations: al.Annotations, StartsAt: al.StartsAt, GeneratorURL: al.GeneratorURL}
		if !al.EndsAt.IsZero() {
			list[i].EndsAt = &al.EndsAt
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encoding alerts: %w", err)
	}
	return b, nil
}

// Post hands alerts to Alertmanager's API v2, as Prometheus does. An alert whose EndsAt
// has passed is resolved.
func (a *Alertmanager) Post(ctx context.Context, alerts []Alert) error {
	b, err := EncodeAPI(alerts)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/api/v2/alerts", bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("building request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	return a.do(req)
}

// URL is the base of Alertmanager's own API.
func (a *Alertmanager) URL() string { return a.url }

// Stop ends the process, first politely, and waits until it is gone. It may be called on
// what started only in part.
func (a *Alertmanager) Stop(ctx context.Context) error {
	var err error
	if a.proc != nil {
		a.proc.Stop(ctx)
	}
	if a.log != nil {
		err = a.log.Close()
	}
	if a.port != nil {
		a.port.Release()
	}
	return err
}
