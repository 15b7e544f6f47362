package play

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/scenario"
)

// Secrets that are planted without being asked for.
const (
	// kubernetesToken is the bearer token in the system's client configuration.
	kubernetesToken = "kubernetes-token"
	// authorization is the bearer token of every send that has no such header of its own.
	authorization = "authorization"
	redisPassword = "redis-password"
)

// secret is a value that must show up nowhere: P9.
type secret struct {
	value string
	// content says that it was sent in an alert, so that objects may hold it.
	content bool
}

var secretPlaceholder = regexp.MustCompile(`\{\{secret\.([A-Za-z0-9-]+)\}\}`)

// plantSecrets draws the secrets of a world from its seed: those above, and each
// {{secret.NAME}} of the scenario.
func plantSecrets(s *scenario.Scenario, seed uint64) (map[string]secret, error) {
	content := map[string]bool{kubernetesToken: false}
	if s.System == nil {
		content[authorization] = false
	}
	if s.Needs.Redis == "own" && s.UsesRedis() {
		content[redisPassword] = false
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("reading the scenario's secrets: %w", err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("reading the scenario's secrets: %w", err)
	}
	mentioned(doc, false, content)
	out := map[string]secret{}
	for name, sent := range content {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", seed, s.ID, name))
		out[name] = secret{"S" + hex.EncodeToString(sum[:12]), sent}
	}
	return out, nil
}

// mentioned adds the secrets that a value names, and whether any place is not a header.
func mentioned(v any, header bool, content map[string]bool) {
	switch t := v.(type) {
	case map[string]any:
		for k, inner := range t {
			mentioned(inner, header || strings.EqualFold(k, "headers"), content)
		}
	case []any:
		for _, inner := range t {
			mentioned(inner, header, content)
		}
	case string:
		for _, m := range secretPlaceholder.FindAllStringSubmatch(t, -1) {
			content[m[1]] = content[m[1]] || !header
		}
	}
}

// secretNames are what the history may say of them.
func secretNames(secrets map[string]secret) []history.Secret {
	var out []history.Secret
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		sum := sha256.Sum256([]byte(secrets[name].value))
		out = append(out, history.Secret{Name: name, SHA256: hex.EncodeToString(sum[:])})
	}
	return out
}

// disguises are the forms in which a secret is looked for: as it is, and in base64 at each
// of the three places that it can have in a longer text.
func disguises(value string) [][]byte {
	out := [][]byte{[]byte(value)}
	for shift := range 3 {
		in := append(make([]byte, shift), value...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(in)
			// The first and last characters also hold bits of the neighbours.
			out = append(out, []byte(text[(shift*8+5)/6:len(in)*8/6]))
		}
	}
	return out
}

// search looks for planted secrets in traces, and counts what it read.
type search struct {
	secrets map[string]secret
	scan    history.Scan
	leaks   []history.Leak
}

// read searches one trace; where names it. Objects may hold what was sent in alerts.
func (x *search) read(where string, trace []byte, objects bool) {
	if len(trace) == 0 {
		return
	}
	x.scan.Places++
	x.scan.Bytes += int64(len(trace))
	for _, name := range slices.Sorted(maps.Keys(x.secrets)) {
		s := x.secrets[name]
		if objects && s.content {
			continue
		}
		for _, form := range disguises(s.value) {
			if at := bytes.Index(trace, form); at >= 0 {
				x.leaks = append(x.leaks, history.Leak{Secret: name, Where: fmt.Sprintf("%s, line %d", where, 1+bytes.Count(trace[:at], []byte("\n")))})
				break
			}
		}
	}
}

// findSecrets searches all that the stopped system has left, and records what it found.
func (w *world) findSecrets(ctx context.Context, metrics []byte) error {
	x := &search{secrets: w.secrets}
	x.read("metrics", metrics, false)
	errs := []error{w.searchFiles(x), w.searchAnswers(x), w.searchObjects(x), w.searchRedis(ctx, x)}
	for _, leak := range x.leaks {
		errs = append(errs, w.history.Add(history.Event{Leak: &leak}))
	}
	return errors.Join(append(errs, w.history.Add(history.Event{Scan: &x.scan}))...)
}

// searchFiles reads the logs and records beside each other in the world's folder. What lies
// deeper is configuration, which must hold secrets, and data of servers.
func (w *world) searchFiles(x *search) error {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return fmt.Errorf("listing the scenario's folder: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(w.dir, e.Name()))
		if err != nil {
			return fmt.Errorf("searching for secrets: %w", err)
		}
		x.read(e.Name(), b, false)
	}
	return nil
}

func (w *world) searchAnswers(x *search) error {
	w.answers.mu.Lock()
	defer w.answers.mu.Unlock()
	for id, list := range w.answers.byID {
		for i, a := range list {
			b, err := json.Marshal([]any{a.headers, a.body})
			if err != nil {
				return fmt.Errorf("encoding answer %d of %s: %w", i+1, id, err)
			}
			x.read(fmt.Sprintf("answer %d of %s", i+1, id), b, false)
		}
	}
	return nil
}

func (w *world) searchObjects(x *search) error {
	if w.last == nil {
		return nil
	}
	b, err := json.Marshal([]any{w.last.requests, w.last.pages})
	if err != nil {
		return fmt.Errorf("encoding the last lists: %w", err)
	}
	x.read("RemediationRequests and StormPages", b, true)
	return nil
}

// searchRedis reads the whole value of every key in one exchange.
func (w *world) searchRedis(ctx context.Context, x *search) error {
	if w.redis == nil || w.redisGone(ctx) {
		return nil
	}
	keys, err := w.keys(ctx)
	if err != nil {
		return err
	}
	values := make([]*redis.Cmd, len(keys))
	_, err = w.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, k := range keys {
			m := k.(map[string]any)
			values[i] = p.Do(ctx, wholeValue(m["type"].(string), w.prefix+m["name"].(string))...)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) { // a key may have expired meanwhile
		return fmt.Errorf("reading the values of keys: %w", err)
	}
	for i, k := range keys {
		name := k.(map[string]any)["name"].(string)
		x.read("Redis key "+name, fmt.Appendf([]byte(name), "\n%v", values[i].Val()), false)
	}
	return nil
}

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
