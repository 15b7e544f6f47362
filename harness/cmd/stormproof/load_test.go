package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/traffic"
)

// sink answers every webhook with a status and keeps the bodies.
type sink struct {
	mu     sync.Mutex
	bodies []string
	status int
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, string(b))
	s.mu.Unlock()
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, `{"alerts":[{"index":0,"verdict":"created"}]}`)
}

// loadAt runs `stormproof load` against a sink and returns its exit code and load.json.
func loadAt(t *testing.T, s *sink, args string) (int, loadReport) {
	t.Helper()
	inFolder(t, soundScenario)
	server := httptest.NewServer(s)
	defer server.Close()
	code := execute(t.Context(), append([]string{"load", "--url", server.URL + "/hook"}, strings.Fields(args)...))
	files, err := filepath.Glob("reports/*/load.json")
	if err != nil || len(files) != 1 {
		t.Fatalf("load.json: %v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var r loadReport
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return code, r
}

func TestLoadMeasuresAndWrites(t *testing.T) {
	s := &sink{status: http.StatusCreated}
	code, r := loadAt(t, s, "--rate 500 --count 40 --seed 7")
	if code != exitPass || r.Result.Sent != 40 || r.Result.Answers["201"] != 40 || r.Result.Verdicts["created"] != 40 || len(s.bodies) != 40 {
		t.Errorf("exit %d, %d bodies, result %+v", code, len(s.bodies), r.Result)
	}
	if r.Schema != "stormproof.load/v1" || r.Seed != 7 || r.Rate != 500 || r.Connections != 64 || r.Result.Alerts != 200 {
		t.Errorf("load.json: %+v", r)
	}
	if r.Result.Latency.Count() != 40 || r.Result.Latency.At(50) <= 0 {
		t.Errorf("latencies %+v", r.Result.Latency.Summary())
	}
}

func TestLoadFailsWhenSomethingWasNotAcknowledged(t *testing.T) {
	code, r := loadAt(t, &sink{status: http.StatusServiceUnavailable}, "--count 3")
	if code != exitFail || r.Result.Unacked != 3 {
		t.Errorf("exit %d, unacked %d; want %d, 3", code, r.Result.Unacked, exitFail)
	}
}

func TestLoadReadsItsProfile(t *testing.T) {
	s := &sink{status: http.StatusAccepted}
	path := filepath.Join(t.TempDir(), "profile.yaml")
	if err := os.WriteFile(path, []byte("alertname: Disk\nbatch: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, r := loadAt(t, s, "--count 1 --profile "+path)
	if code != exitPass || r.Result.Alerts != 2 || !strings.Contains(s.bodies[0], `"alertname":"Disk1"`) {
		t.Errorf("exit %d, %d alerts, body %s", code, r.Result.Alerts, s.bodies[0])
	}
}

func TestLoadExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		args string
		want int
	}{
		"a negative rate":               {"--rate -1", exitUsage},
		"poisson without a rate":        {"--poisson", exitUsage},
		"another machine":               {"--url http://192.0.2.1/", exitUsage},
		"no URL":                        {"--url 127.0.0.1:80", exitUsage},
		"a profile that is not there":   {"--profile nowhere.yaml", exitUsage},
		"a profile with a wrong field":  {"--profile wrong.yaml", exitUsage},
		"a profile with a wrong number": {"--profile bad.yaml", exitUsage},
		"an argument":                   {"http://127.0.0.1", exitUsage},
		"nobody listens":                {"--url http://127.0.0.1:1/ --count 1", exitFail},
		"no environment":                {"--cluster kind --redis container", exitEnvironment},
	} {
		t.Run(name, func(t *testing.T) {
			inFolder(t, soundScenario)
			for file, text := range map[string]string{"wrong.yaml": "group: 3\n", "bad.yaml": "duplicates: 3\n"} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := execute(context.Background(), append([]string{"load"}, strings.Fields(c.args)...)); got != c.want {
				t.Errorf("stormproof load %s: exit %d, want %d", c.args, got, c.want)
			}
		})
	}
}

func TestTheLoadTableNamesEverything(t *testing.T) {
	res := traffic.Result{Planned: 9, Sent: 7, Late: 3, Dropped: 2, Answers: map[string]int{"201": 6, "none": 1},
		Latency: traffic.NewLatencies(), Service: traffic.NewLatencies()}
	var out bytes.Buffer
	printLoad(&out, loadReport{Rate: 10, Poisson: true, Connections: 64, Result: res}, "load.json")
	for _, want := range []string{"7 of 9", "late       3", "dropped    2", "201: 6  none: 1", "p99.9", "Poisson", "load.json", "alerts/s"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, out.String())
		}
	}
}

func TestAnInterruptedLoadStillWrites(t *testing.T) {
	inFolder(t, soundScenario)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if seen++; seen == 5 {
			cancel()
		}
	}))
	defer server.Close()
	if code := execute(ctx, []string{"load", "--url", server.URL, "--connections", "1", "--count", "50"}); code != exitInterrupted {
		t.Errorf("exit %d, want %d", code, exitInterrupted)
	}
	files, err := filepath.Glob("reports/*/load.json")
	if err != nil || len(files) != 1 {
		t.Fatalf("load.json: %v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var r loadReport
	if err := json.Unmarshal(b, &r); err != nil || r.Result.Sent < 4 || r.Result.Sent+r.Result.Dropped != 50 {
		t.Errorf("error %v, sent %d, dropped %d", err, r.Result.Sent, r.Result.Dropped)
	}
}

// TestTheProfileInTheDocsIsRead takes it out of TESTING.md.
func TestTheProfileInTheDocsIsRead(t *testing.T) {
	b, err := os.ReadFile("../../../TESTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), "```yaml\ngroups:")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("TESTING.md shows no profile")
	}
	path := filepath.Join(t.TempDir(), "day.yaml")
	if err := os.WriteFile(path, []byte("groups:"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := (&loadFlags{profile: path}).settleLoad(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaultProfile, got); diff != "" {
		t.Errorf("the docs show the default profile:\n%s", diff)
	}
}
