package system

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Placeholders are what Program fills in, with what they stand for. Spec.Values may add
// more. Nobody changes it.
var Placeholders = map[string]string{
	"dir":           "the replica's own folder; it stays over a restart",
	"listen":        "127.0.0.1:port for the public listener",
	"port":          "the port alone",
	"admin":         "127.0.0.1:port for the private listener (metrics, clock)",
	"kubeconfig":    "a kubeconfig file, by way of the scenario's Kubernetes faults",
	"redis":         "host:port of Redis, by way of the scenario's Redis faults",
	"redisPassword": "its password, often empty",
	"redisPrefix":   "what every key must begin with",
	"ns":            "the scenario's first namespace",
	"replica":       "the number of the replica, from 1",
	"sink.NAME":     "URL of the sink with this name",
}

// A name begins with a letter: {{ .Labels }} is somebody else's template and stays.
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z0-9-]+)?)\s*\}\}`)

// Mentioned lists the placeholders in texts, sorted, each once.
func Mentioned(texts ...string) []string {
	seen := map[string]bool{}
	for _, t := range texts {
		for _, m := range placeholder.FindAllStringSubmatch(t, -1) {
			seen[m[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// fill replaces placeholders; one that has no value is an error that lists those that have.
func fill(text string, values map[string]string) (string, error) {
	var unknown error
	out := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		name := placeholder.FindStringSubmatch(found)[1]
		v, ok := values[name]
		if !ok && unknown == nil {
			unknown = fmt.Errorf("placeholder %s has no value; there are %s", found, strings.Join(slices.Sorted(maps.Keys(values)), ", "))
		}
		return v
	})
	return out, unknown
}
