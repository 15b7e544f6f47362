package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"
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
	url string
	cmd *exec.Cmd
	log *os.File
	// done is closed when the process has gone; ended then says how.
	done  chan struct{}
	ended error
}

// StartAlertmanager starts the program on a free loopback port and waits until it is
// ready. Its log lies in Dir/alertmanager.log.
func StartAlertmanager(ctx context.Context, o AlertmanagerOptions) (*Alertmanager, error) {
	config := filepath.Join(o.Dir, "alertmanager.yml")
	if err := writeAlertmanagerConfig(config, o); err != nil {
		return nil, err
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(o.Dir, "alertmanager.log"))
	if err != nil {
		return nil, fmt.Errorf("creating Alertmanager's log: %w", err)
	}
	cmd := exec.Command(o.Binary, "--config.file="+config, "--storage.path="+filepath.Join(o.Dir, "data"),
		"--web.listen-address="+addr, "--cluster.listen-address=")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting Alertmanager %s: %w", o.Binary, err), log.Close())
	}
	a := &Alertmanager{url: "http://" + addr, cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		a.ended = cmd.Wait()
		close(a.done)
	}()
	if err := a.waitReady(ctx); err != nil {
		return nil, errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	return a, nil
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

func freeAddr(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

func (a *Alertmanager) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		last = a.get(ctx, "/-/ready")
		if last == nil {
			return nil
		}
		select {
		case <-a.done:
			return fmt.Errorf("process of Alertmanager ended while starting (%w): read %s", a.ended, a.log.Name())
		case <-ctx.Done():
			return fmt.Errorf("waiting for Alertmanager: %w; read %s", last, a.log.Name())
		case <-tick.C:
		}
	}
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

// Post hands alerts to Alertmanager's API v2, as Prometheus does. An alert whose EndsAt
// has passed is resolved.
func (a *Alertmanager) Post(ctx context.Context, alerts []Alert) error {
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
		return fmt.Errorf("encoding alerts: %w", err)
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

// Stop ends the process, first politely, and waits until it is gone.
func (a *Alertmanager) Stop(ctx context.Context) error {
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(fmt.Errorf("stopping Alertmanager: %w", err), a.log.Close())
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		// The only error is that the process has gone already, which is what is wanted.
		_ = a.cmd.Process.Kill()
		<-a.done
	}
	return a.log.Close()
}
