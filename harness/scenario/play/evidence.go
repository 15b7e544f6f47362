package play

import (
	"bufio"
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
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/internal/diff"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

// Bounds of what is kept of a red scenario.
const (
	mostObjects  = 200
	mostKeys     = 1000
	mostRequests = 20000
	mostBytes    = 2 << 20
)

// evidence is one file that explains a failure.
type evidence struct {
	name string
	read func(ctx context.Context) ([]byte, error)
}

// keepEvidence writes beside the history what the world looks like now. It is help for a
// person after a failure, so its own failures are only noted, and every part is tried.
func (w *world) keepEvidence(ctx context.Context, why error) {
	files := []evidence{{"faults.json", w.faultFile}}
	if w.kube != nil {
		files = append(files, evidence{"events.yaml", w.eventFile}, evidence{"audit.jsonl", w.auditFile})
	}
	if w.redis != nil {
		files = append(files, evidence{"redis.txt", w.redisFile})
	}
	if len(w.replicas.all()) > 0 {
		files = append(files, evidence{"metrics.prom", w.metricsFile})
	}
	if len(w.sinks) > 0 {
		files = append(files, evidence{"received.json", w.receivedFile})
	}
	var waited *wait.Error
	if errors.As(why, &waited) || errors.Is(why, context.DeadlineExceeded) {
		files = append(files, evidence{"goroutines.txt", w.goroutineFile})
	}
	for _, f := range files {
		w.keepFile(ctx, f)
	}
	if w.kube != nil {
		w.keepObjects(ctx)
	}
}

func (w *world) keepFile(ctx context.Context, f evidence) {
	path := filepath.Join(w.dir, f.name)
	b, err := f.read(ctx)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, []byte(diff.Cut(string(b), mostBytes)), 0o600)
	}
	if err != nil && w.history != nil {
		// The history itself may be what is broken; then this note is lost, too.
		_ = w.history.Add(history.Event{Note: &history.Note{Text: "keeping " + f.name + ": " + err.Error()}})
	}
}

func (w *world) faultFile(context.Context) ([]byte, error) {
	return json.MarshalIndent(w.faults.view(), "", "  ")
}

// receivedFile is what the scenario's sinks got.
func (w *world) receivedFile(context.Context) ([]byte, error) {
	return json.MarshalIndent(w.received(), "", "  ")
}

// eventFile is the Kubernetes Events of the scenario's namespaces.
func (w *world) eventFile(ctx context.Context) ([]byte, error) {
	out := &corev1.EventList{}
	for _, ns := range w.everyNamespace() {
		var list corev1.EventList
		if err := w.kube.List(ctx, &list, client.InNamespace(ns), client.Limit(mostObjects)); err != nil {
			return nil, err
		}
		out.Items = append(out.Items, list.Items...)
	}
	if len(out.Items) == 0 {
		return []byte("# no Kubernetes Event in " + strings.Join(w.everyNamespace(), ", ") + "\n"), nil
	}
	return yaml.Marshal(out.Items)
}

// keepObjects writes each object as YAML into objects/.
func (w *world) keepObjects(ctx context.Context) {
	for _, list := range []client.ObjectList{&v1alpha1.RemediationRequestList{}, &v1alpha1.StormPageList{}} {
		items, err := w.listed(ctx, list)
		if err != nil {
			w.keepFile(ctx, evidence{"objects", func(context.Context) ([]byte, error) { return nil, err }})
			continue
		}
		for _, item := range items[:min(len(items), mostObjects)] {
			object := item.(map[string]any)
			meta, _ := object["metadata"].(map[string]any)
			delete(meta, "managedFields")
			name := fmt.Sprintf("%v-%v.yaml", cmp.Or(object["kind"], any("object")), meta["name"])
			w.keepFile(ctx, evidence{filepath.Join("objects", strings.ToLower(name)), func(context.Context) ([]byte, error) {
				return yaml.Marshal(object)
			}})
		}
	}
}

// redisFile is a table of the scenario's keys with their values, shortened.
func (w *world) redisFile(ctx context.Context) ([]byte, error) {
	keys, err := w.keys(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, func(a, b any) int {
		return strings.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
	})
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %d keys under %s: type, TTL, name, value\n", len(keys), w.prefix)
	for _, k := range keys[:min(len(keys), mostKeys)] {
		m := k.(map[string]any)
		name, kind := m["name"].(string), m["type"].(string)
		ttl := "never expires"
		if ms := m["ttlMs"].(int64); ms >= 0 {
			ttl = (time.Duration(ms) * time.Millisecond).String()
		}
		fmt.Fprintf(&b, "%-7s %-14s %s\n        %s\n", kind, ttl, name, w.redisValue(ctx, kind, w.prefix+name))
	}
	return b.Bytes(), nil
}

func (w *world) redisValue(ctx context.Context, kind, key string) string {
	read := map[string][]any{"string": {"GET", key}, "hash": {"HGETALL", key}, "zset": {"ZRANGE", key, 0, 20, "WITHSCORES"},
		"set": {"SSCAN", key, 0, "COUNT", 20}, "list": {"LRANGE", key, 0, 20}, "stream": {"XRANGE", key, "-", "+", "COUNT", 20}}[kind]
	if read == nil {
		return "?"
	}
	v, err := w.redis.Do(ctx, read...).Result()
	if err != nil {
		return err.Error()
	}
	return diff.Cut(fmt.Sprintf("%q", fmt.Sprint(v)), 300)
}

// metricsFile is what every gateway shows at /metrics.
func (w *world) metricsFile(ctx context.Context) ([]byte, error) {
	return w.fetchAll(ctx, "/metrics")
}

// goroutineFile is every goroutine of this process, a gateway that runs inside of it
// included, and of gateways elsewhere that have net/http/pprof on their private listener.
func (w *world) goroutineFile(ctx context.Context) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintln(&b, "# the harness's process, with any gateway inside of it")
	if err := pprof.Lookup("goroutine").WriteTo(&b, 2); err != nil {
		return nil, err
	}
	remote, err := w.fetchAll(ctx, "/debug/pprof/goroutine?debug=2")
	if err == nil {
		b.Write(remote)
	}
	return b.Bytes(), nil
}

// fetchAll gets a path of every gateway's private listener; those that do not have it are
// left out.
func (w *world) fetchAll(ctx context.Context, path string) ([]byte, error) {
	var b bytes.Buffer
	var errs []error
	for _, r := range w.replicas.all() {
		instance := r.running()
		if instance == nil {
			continue
		}
		status, body, err := w.fetch(ctx, instance.AdminURL()+path)
		switch {
		case err != nil:
			errs = append(errs, err)
		case status == http.StatusOK:
			fmt.Fprintf(&b, "# gateway %d\n", r.spec.Replica)
			b.Write(body)
		}
	}
	return b.Bytes(), errors.Join(errs...)
}

// auditFile is what the API server's audit log says of the scenario's namespaces. Where
// there is none, requests.jsonl is all that there is, and this file says so.
func (w *world) auditFile(context.Context) ([]byte, error) {
	path := w.auditLog
	if path == "" {
		return []byte(`{"note":"this cluster has no audit log; requests.jsonl holds what the gateway asked through the fault proxy"}` + "\n"), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	if _, err := f.Seek(w.auditFrom, io.SeekStart); err != nil {
		return nil, err
	}
	var names [][]byte
	for _, ns := range w.namespaces {
		names = append(names, []byte(`"`+ns+`"`))
	}
	var out bytes.Buffer
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && out.Len() < mostBytes {
		if slices.ContainsFunc(names, func(n []byte) bool { return bytes.Contains(lines.Bytes(), n) }) {
			out.Write(lines.Bytes())
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), lines.Err()
}

// sizeOf is where a log that others append to ends now, 0 when there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// requestLog writes every request that reached the Kubernetes proxy, as it happens, so that
// a crash does not take it along.
type requestLog struct {
	mu    sync.Mutex
	file  *os.File
	lines int
}

// requestLine is one line of requests.jsonl.
type requestLine struct {
	Time        time.Time `json:"time"`
	Verb        string    `json:"verb"`
	Resource    string    `json:"resource"`
	Subresource string    `json:"subresource,omitempty"`
	Namespace   string    `json:"namespace,omitempty"`
	Name        string    `json:"name,omitempty"`
	// Code is the status that the gateway was sent, 0 for no answer.
	Code int     `json:"code"`
	MS   float64 `json:"ms"`
}

func newRequestLog(path string) (*requestLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the record of requests: %w", err)
	}
	return &requestLog{file: f}, nil
}

func (l *requestLog) add(r fault.RequestInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines++; l.lines > mostRequests || l.file == nil {
		return
	}
	b, err := json.Marshal(requestLine{time.Now().Add(-r.Duration).UTC(), r.Verb, r.Resource, r.Subresource, r.Namespace, r.Name, r.Code, ms(r.Duration)})
	if err == nil {
		_, _ = l.file.Write(append(b, '\n')) // a full disk shows up in the history, which must not lose a line
	}
}

func (l *requestLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
