package play

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/scenario"
)

// Secrets that are planted without being asked for.
const (
	// kubernetesToken is the bearer token in the system's client configuration.
	kubernetesToken = "kubernetes-token"
	// authorization is the bearer token of every request to the gateway that has no such
	// header of its own.
	authorization = "authorization"
	redisPassword = "redis-password"
)

// secret is a value that must show up nowhere: P9. It has only lower-case letters and
// digits, which no encoder of JSON, YAML, URLs or labels changes.
type secret struct {
	value string
	// content says that it was sent in an alert, so that objects may hold it.
	content bool
}

var secretPlaceholder = regexp.MustCompile(`\{\{(?:secret|bcrypt|base64)\.([A-Za-z0-9-]+)\}\}`)

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
		out[name] = secret{"s" + hex.EncodeToString(sum[:12]), sent}
	}
	return out, nil
}

// unsent are the fields below which nothing becomes an alert's content.
var unsent = []string{"headers", "as", "files", "write"}

// mentioned adds the secrets that a value names, and whether any place is one of content.
func mentioned(v any, header bool, content map[string]bool) {
	switch t := v.(type) {
	case map[string]any:
		for k, inner := range t {
			mentioned(inner, header || slices.Contains(unsent, strings.ToLower(k)), content)
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
