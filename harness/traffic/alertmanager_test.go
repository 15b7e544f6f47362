package traffic_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/traffic"
)

// standInEnv makes the test binary play Alertmanager, in one of the ways of standIn.
const standInEnv = "STORMPROOF_TRAFFIC_TEST_STAND_IN"

// standIn listens and answers as Alertmanager does, as far as the harness asks it:
//
//	sound    ready at the third time of asking; keeps what is posted in posted.json
//	ends     says why and ends at once
//	refuses  is ready and answers 400 to alerts
//	deaf     is ready and ignores SIGTERM
func standIn(mode string, args []string) error {
	flags := flag.NewFlagSet("alertmanager", flag.ContinueOnError)
	config := flags.String("config.file", "", "")
	addr := flags.String("web.listen-address", "", "")
	storage := flags.String("storage.path", "", "")
	cluster := flags.String("cluster.listen-address", "unset", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if mode == "ends" || *cluster != "" || *storage == "" {
		return errors.New("stand-in: no reason to live")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if mode == "deaf" {
		signal.Ignore(syscall.SIGTERM)
	}
	asked := 0
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if asked++; mode == "sound" && asked < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /api/v2/alerts", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(*config), "posted.json"), b, 0o600)
		}
		if mode == "refuses" || err != nil {
			http.Error(w, "bad labels", http.StatusBadRequest)
		}
	})
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func options(t *testing.T, mode string) traffic.AlertmanagerOptions {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(standInEnv, mode)
	return traffic.AlertmanagerOptions{Binary: self, Dir: t.TempDir(), WebhookURL: "http://127.0.0.1:9/hook",
		GroupBy: []string{"alertname"}, GroupWait: time.Second, GroupInterval: 2 * time.Minute, RepeatInterval: time.Hour}
}

func started(t *testing.T, mode string) (*traffic.Alertmanager, traffic.AlertmanagerOptions) {
	t.Helper()
	o := options(t, mode)
	a, err := traffic.StartAlertmanager(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return a, o
}

func TestAlertmanagerIsConfiguredForOneWebhook(t *testing.T) {
	_, o := started(t, "sound")
	b, err := os.ReadFile(filepath.Join(o.Dir, "alertmanager.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := yaml.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"route": map[string]any{"receiver": "stormproof", "group_by": []any{"alertname"}, "group_wait": "1s",
			"group_interval": "2m0s", "repeat_interval": "1h0m0s"},
		"receivers": []any{map[string]any{"name": "stormproof", "webhook_configs": []any{
			map[string]any{"url": "http://127.0.0.1:9/hook", "send_resolved": true}}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAlertmanagerIsGivenAlertsAsPrometheusGivesThem(t *testing.T) {
	a, o := started(t, "sound")
	if !strings.HasPrefix(a.URL(), "http://127.0.0.1:") {
		t.Errorf("URL %s is not on loopback", a.URL())
	}
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	err := a.Post(t.Context(), []traffic.Alert{
		{Labels: map[string]string{"alertname": "A"}, Annotations: map[string]string{"summary": "s"}, StartsAt: at, GeneratorURL: "http://g"},
		{Labels: map[string]string{"alertname": "B"}, StartsAt: at, EndsAt: at.Add(time.Minute)}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(o.Dir, "posted.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"labels": map[string]any{"alertname": "A"}, "annotations": map[string]any{"summary": "s"},
			"startsAt": "2026-11-25T12:00:00Z", "generatorURL": "http://g"},
		{"labels": map[string]any{"alertname": "B"}, "startsAt": "2026-11-25T12:00:00Z", "endsAt": "2026-11-25T12:01:00Z"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAlertThatAlertmanagerRefusesIsAnError(t *testing.T) {
	a, _ := started(t, "refuses")
	if err := a.Post(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "bad labels") {
		t.Errorf("error %v; it must quote the refusal", err)
	}
}

func TestAProgramThatEndsIsNotWaitedFor(t *testing.T) {
	o := options(t, "ends")
	begin := time.Now()
	a, err := traffic.StartAlertmanager(t.Context(), o)
	var failed *wait.Error
	if a != nil || !errors.As(err, &failed) || failed.Cause == nil {
		t.Fatalf("alertmanager %v, error %v; want a wait that gave up", a, err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s to notice", took)
	}
	log := filepath.Join(o.Dir, "alertmanager.log")
	b, readErr := os.ReadFile(log)
	if readErr != nil || !strings.Contains(string(b), "no reason to live") || !strings.Contains(err.Error(), log) {
		t.Errorf("log %q, %v; the error must name it: %v", b, readErr, err)
	}
}

func TestAProgramThatIsNotThereIsAnError(t *testing.T) {
	o := options(t, "sound")
	o.Binary = filepath.Join(o.Dir, "nothing")
	if a, err := traffic.StartAlertmanager(t.Context(), o); a != nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("alertmanager %v, error %v; want that the file does not exist", a, err)
	}
}

func TestAFolderThatIsNotThereIsAnError(t *testing.T) {
	o := options(t, "sound")
	o.Dir = filepath.Join(o.Dir, "nowhere")
	if a, err := traffic.StartAlertmanager(t.Context(), o); a != nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("alertmanager %v, error %v; want that the folder does not exist", a, err)
	}
}

func TestStopLeavesNothingListening(t *testing.T) {
	for _, mode := range []string{"sound", "deaf"} {
		t.Run(mode, func(t *testing.T) {
			a, _ := started(t, mode)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := a.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			if err := a.Post(t.Context(), nil); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("after Stop: %v, want a refused connection", err)
			}
		})
	}
}

func ExampleNewPayload() {
	p := traffic.NewPayload([]traffic.Alert{{Status: "firing", Labels: map[string]string{"alertname": "A"}}})
	fmt.Println(p.Version, p.Status, len(p.Alerts))
	// Output: 4 firing 1
}
