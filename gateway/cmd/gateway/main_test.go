package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build compiles the gateway as its users do.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway")
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), ".")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the gateway: %v\n%s", err, out)
	}
	return path
}

// running is a gateway that can reach neither Redis nor Kubernetes.
type running struct {
	cmd           *exec.Cmd
	public, admin string
	// config is its configuration file.
	config string
}

func start(t *testing.T, program, crashDir string) *running {
	t.Helper()
	dir := t.TempDir()
	config, kubeconfig := filepath.Join(dir, "gateway.yaml"), filepath.Join(dir, "kubeconfig")
	for path, body := range map[string]string{
		config: "listen: {public: 127.0.0.1:0, admin: 127.0.0.1:0}\nredis: {addr: 127.0.0.1:1, timeout: 200ms}\n",
		kubeconfig: "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n" +
			"contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n",
	} {
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := &running{config: config, cmd: exec.Command(program, "-config", config, "-kubeconfig", kubeconfig)}
	g.cmd.Env = append(os.Environ(), "STORMPROOF_CRASH_DIR="+crashDir)
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.cmd.Process.Kill() // it may have died already, as it should
		_ = g.cmd.Wait()
	})
	var said struct{ Public, Admin string }
	// The reconciler begins at the same time, and may be the first to say something.
	for lines := bufio.NewScanner(out); said.Admin == ""; {
		if !lines.Scan() {
			t.Fatalf("the gateway ended without naming its listeners: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			t.Fatalf("the gateway said %s: %v", lines.Bytes(), err)
		}
	}
	g.public, g.admin = "http://"+said.Public, "http://"+said.Admin
	return g
}

func post(t *testing.T, url, body string) (int, error) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

const oneAlert = `{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-01-01T00:00:00Z"}]}`

func TestAnOrdinaryBuildHasNeitherCrashPointsNorATestingClock(t *testing.T) {
	program := build(t)
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{"STORMPROOF_CRASH_DIR", "/testing/clock"} {
		if bytes.Contains(b, []byte(trace)) {
			t.Errorf("the program contains %q", trace)
		}
	}
	crashDir := t.TempDir()
	armed := filepath.Join(crashDir, "parsed")
	if err := os.WriteFile(armed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, program, crashDir)
	for _, base := range []string{g.public, g.admin} {
		if status, err := post(t, base+"/testing/clock?offset=1m", ""); status != http.StatusNotFound || err != nil {
			t.Errorf("%s has a testing clock: %d, %v", base, status, err)
		}
	}
	if status, err := post(t, g.public+"/api/v1/alerts/alertmanager", oneAlert); status != http.StatusServiceUnavailable || err != nil {
		t.Errorf("with its dependencies down the gateway answered %d, %v", status, err)
	}
	if _, err := os.Stat(armed); err != nil {
		t.Errorf("the armed point was touched: %v", err)
	}
	if err := os.WriteFile(g.config, []byte("dedup: {windw: 1m}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.refuses(t, 1)
	if err := g.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	g.refuses(t, 2)
}

// refuses waits until the gateway has refused its configuration this often.
func (g *running) refuses(t *testing.T, times int) {
	t.Helper()
	want := fmt.Sprintf("\nstormproof_config_reloads_total{result=\"refused\"} %d\n", times)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for deadline := time.After(20 * time.Second); ; {
		res, err := http.Get(g.admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(want)) {
			return
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("the metrics never said %q; they said:\n%s", want, b)
		}
	}
}

func TestATestingBuildDiesAtAnArmedPointAndLeavesAReceipt(t *testing.T) {
	crashDir := t.TempDir()
	g := start(t, build(t, "-tags", "crashpoints"), crashDir)
	for query, want := range map[string]int{"offset=5m1s": http.StatusNoContent, "offset=soon": http.StatusBadRequest, "": http.StatusBadRequest} {
		if status, err := post(t, g.admin+"/testing/clock?"+query, ""); status != want || err != nil {
			t.Errorf("clock?%s answered %d, %v; want %d", query, status, err, want)
		}
	}
	if status, _ := post(t, g.public+"/testing/clock?offset=1m", ""); status != http.StatusNotFound {
		t.Errorf("the public listener has a testing clock: %d", status)
	}
	if status, err := post(t, g.public+"/api/v1/alerts/alertmanager", oneAlert); status != http.StatusServiceUnavailable || err != nil {
		t.Fatalf("nothing is armed, and the gateway answered %d, %v", status, err)
	}
	armed := filepath.Join(crashDir, "parsed")
	if err := os.WriteFile(armed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, err := post(t, g.public+"/api/v1/alerts/alertmanager", oneAlert); err == nil {
		t.Errorf("the gateway answered %d", status)
	}
	var exit *exec.ExitError
	if err := g.cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the gateway ended with %v, not by SIGKILL", err)
	}
	if _, err := os.Stat(armed + ".hit"); err != nil {
		t.Errorf("there is no receipt: %v", err)
	}
}
