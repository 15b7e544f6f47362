package play

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

// findSecrets searches all that the stopped system has left, and records what was found
// there and before: pages that were fetched, objects that were deleted and Events are searched as
// they come by. A trace that cannot be read is missed, and P9 is then inconclusive.
func (w *world) findSecrets(ctx context.Context) error {
	var atRedis sync.WaitGroup
	atRedis.Go(func() { w.searchRedis(ctx) })
	w.searchFiles()
	w.searchAnswers()
	w.searchSinks()
	w.searchObjects()
	atRedis.Wait()
	var errs []error
	for _, e := range w.search.events() {
		errs = append(errs, w.history.Add(e))
	}
	return errors.Join(errs...)
}

// searchFiles reads the logs, what the fault proxy saw, and the history: it holds what was
// sent in alerts, as objects do, and errors and objects that nothing else keeps.
func (w *world) searchFiles() {
	for _, r := range w.replicas.all() {
		w.searchFile(filepath.Base(r.spec.LogFile), r.spec.LogFile, false)
		if w.scenario.System == nil && sizeOf(r.spec.LogFile) == 0 {
			w.search.miss("%s: it is empty, and a gateway says at least that it listens", filepath.Base(r.spec.LogFile))
		}
	}
	w.searchFile("requests.jsonl", filepath.Join(w.dir, "requests.jsonl"), false)
	w.searchFile("history.jsonl", filepath.Join(w.dir, "history.jsonl"), true)
}

func (w *world) searchFile(where, path string, objects bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		w.search.miss("%v", err)
		return
	}
	w.search.read(where, b, objects)
}

// searchAnswers reads headers and bodies of all answers to a step at once.
func (w *world) searchAnswers() {
	w.answers.mu.Lock()
	defer w.answers.mu.Unlock()
	for id, list := range w.answers.byID {
		var all bytes.Buffer
		lines := json.NewEncoder(&all) // one answer a line
		for _, a := range list {
			if err := lines.Encode([]any{a.headers, a.body}); err != nil {
				w.search.miss("an answer to %s: %v", id, err)
			}
		}
		w.search.read("answers to "+id, all.Bytes(), false)
	}
}

// searchSinks reads what was passed on.
func (w *world) searchSinks() {
	if len(w.sinks) == 0 {
		return
	}
	w.searchJSON("what the sinks received", w.received())
}

func (w *world) searchObjects() {
	if w.last == nil {
		w.search.miss("the RemediationRequests: they could not be listed")
		return
	}
	w.searchJSON("RemediationRequests", w.last.requests)
	w.searchJSON("StormPages", w.last.pages)
}

// searchJSON searches objects, or what was passed on: they may hold what was sent in alerts.
func (w *world) searchJSON(where string, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		w.search.miss("%s: %v", where, err)
		return
	}
	w.search.read(where, b, true)
}

// searchEvents reads the Kubernetes Events of the scenario's namespaces.
func (w *world) searchEvents(ctx context.Context) {
	for _, ns := range w.everyNamespace() {
		var list corev1.EventList
		if err := w.kube.List(ctx, &list, client.InNamespace(ns)); err != nil {
			w.search.miss("the Events in %s: %v", ns, err)
			continue
		}
		w.searchJSON("Events in "+ns, list.Items)
	}
}

// searchRedis reads the whole value of every key in one exchange. A server of the scenario's
// own that was left down has taken its keys along.
func (w *world) searchRedis(ctx context.Context) {
	if w.redis == nil || w.redisGone(ctx) {
		return
	}
	keys, err := w.keys(ctx)
	if err != nil {
		w.search.miss("Redis: %v", err)
		return
	}
	var all bytes.Buffer
	values := make([]*redis.Cmd, len(keys))
	_, err = w.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, k := range keys {
			m := k.(map[string]any)
			values[i] = p.Do(ctx, wholeValue(m["type"].(string), w.prefix+m["name"].(string))...)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) { // a key may have expired meanwhile
		w.search.miss("values in Redis: %v", err)
	}
	for i, k := range keys {
		fmt.Fprintln(&all, k.(map[string]any)["name"], values[i].Val())
	}
	w.search.read("Redis", all.Bytes(), false)
}

// wholeValue is the command that reads a key; of a type that is none of these it fails.
func wholeValue(kind, key string) []any {
	switch kind {
	case "hash":
		return []any{"HGETALL", key}
	case "zset":
		return []any{"ZRANGE", key, 0, -1, "WITHSCORES"}
	case "set":
		return []any{"SMEMBERS", key}
	case "list":
		return []any{"LRANGE", key, 0, -1}
	case "stream":
		return []any{"XRANGE", key, "-", "+"}
	default:
		return []any{"GET", key}
	}
}

// lastMetrics searches what a replica has counted, and returns it: it goes with its process.
// One that was killed by its own crash point has taken it along.
func (w *world) lastMetrics(ctx context.Context, r *replica) []byte {
	instance := r.running()
	if instance == nil {
		return nil
	}
	status, body, err := w.fetch(ctx, w.metricsURL(instance))
	if err != nil {
		dead := wait.Until(ctx, "it has ended", time.Second, 5*time.Millisecond, func(context.Context) wait.Look {
			return wait.Look{Done: exited(instance) != nil}
		})
		if dead != nil {
			w.search.miss("metrics of %s %d: %v", w.name(), r.spec.Replica, err)
		}
	}
	if status != http.StatusOK {
		return nil
	}
	return body
}
