//go:build promtool

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/gateway"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/harness/internal/binaries"
)

const monitoring = "../../../gateway/monitoring"

// promtool runs Prometheus' own tool: from PATH, or from Debian's package in the cache.
func promtool(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		got, err := binaries.Debian(t.Context(), "", "prometheus", "promtool", os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		path = got.Program // it is linked against the C library alone
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolLikesTheRules(t *testing.T) {
	promtool(t, nil, "check", "rules", monitoring+"/rules.yaml")
}

func TestPromtoolSeesEveryAlertFireAndNotFire(t *testing.T) {
	promtool(t, nil, "test", "rules", monitoring+"/rules_test.yaml")
}

// Queries of a dashboard are checked as rules of their own.
func TestPromtoolLikesTheDashboardsQueries(t *testing.T) {
	b, err := os.ReadFile(monitoring + "/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			rules = append(rules, rule{"query", strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")})
		}
	}
	b, err = json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, nil, "check", "rules", file)
}

// The gateway runs without Redis and Kubernetes here, and says so; its metrics are all there.
func TestPromtoolLikesTheMetricsOfARunningGateway(t *testing.T) {
	c := config.Defaults()
	c.Listen.Public, c.Listen.Admin, c.Redis.Addr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:1"
	g, err := gateway.New(gateway.Options{Config: c, RESTConfig: &rest.Config{Host: "http://127.0.0.1:1"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	webhook := `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z"}]}`
	if res := call(t, http.MethodPost, "http://"+g.Addr()+"/api/v1/alerts/alertmanager", webhook); len(res) == 0 {
		t.Error("no answer")
	}
	promtool(t, bytes.NewReader(call(t, http.MethodGet, "http://"+g.AdminAddr()+"/metrics", "")), "check", "metrics")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func call(t *testing.T, method, url, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}
