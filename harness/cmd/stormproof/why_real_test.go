//go:build servers

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/history"
)

// TestWhyOfTheProgramTellsWhereAnAlertWent asks `gateway why` about an alert that a scenario
// sent twice to a real Redis and a real API server, and left there because it was red.
func TestWhyOfTheProgramTellsWhereAnAlertWent(t *testing.T) {
	dir := t.TempDir()
	kubeconfig := hold(t, dir)
	run := start(t, dir, "run", "--keep-on-failure", scene(t, dir, "ERR-99", "steps:\n"+sendOne+
		"  - send: {id: two, alerts: [{labels: {alertname: A}}], answers: {202: 1}}\n"+
		"  - eventually: {within: 10s, that: 'has(rr[0].status.deliveries) && rr[0].status.deliveries == 2'}\n"+
		"  - expect: {that: rr.size() == 0, because: what is red is kept}\n"))
	if got := run.code(t); got != exitFail {
		t.Fatalf("exit %d, want %d\n%s", got, exitFail, run.out.String())
	}
	begin, object := kept(t, dir)
	description, err := environment.Load(filepath.Join(dir, ".stormproof", "up", "environment.json"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]any{"redis": map[string]any{"addr": description.Redis.Addr, "prefix": begin.RedisPrefix}})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "gateway.yaml"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	why := exec.Command("go", "run", "../../../gateway/cmd/gateway", "why", "-json", "-config", filepath.Join(dir, "gateway.yaml"),
		"-kubeconfig", kubeconfig, object.Fingerprint)
	why.Stderr = t.Output()
	out, err := why.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Places []struct {
			Namespace, Name string
			Open            bool
			Status          struct{ Occurrences, Deliveries int }
			Redis           struct{ Occurrences, Deliveries int }
		}
		Next struct{ Verdict, Object string }
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Places) != 1 || got.Next.Verdict != "duplicate" {
		t.Fatalf("one place and a duplicate next were expected:\n%s", out)
	}
	if p := got.Places[0]; p.Namespace != object.Namespace || p.Name != object.Name || !p.Open ||
		p.Status.Occurrences != 1 || p.Status.Deliveries != 2 || p.Redis != p.Status {
		t.Errorf("%s/%s, open, counted 1 and 2 in both was expected:\n%s", object.Namespace, object.Name, out)
	}
}

// kept is what the history of the red scenario says of itself and of its one object.
func kept(t *testing.T, dir string) (begin history.Begin, object history.Object) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "reports", "latest", "runs", "1", "scenarios", "ERR-99", "round-1", "history.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var e history.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e.Begin != nil {
			begin = *e.Begin
		}
		if e.Object != nil {
			object = *e.Object
		}
	}
	return begin, object
}
