package system

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// values are the placeholders that are the same wherever the system runs.
func (s Spec) values() map[string]string {
	values := map[string]string{"redisPrefix": s.RedisPrefix, "ns": s.Namespace, "replica": strconv.Itoa(s.Replica)}
	if s.RedisAddr != "" {
		values["redis"], values["redisPassword"] = s.RedisAddr, s.RedisPassword
	}
	maps.Copy(values, s.Values)
	return values
}

// texts are all places of a program where a placeholder may stand.
func (p Program) texts() []string {
	return slices.Concat(p.Args, slices.Collect(maps.Values(p.Env)), slices.Collect(maps.Values(p.Files)))
}

// filled is what a program is started with.
type filled struct {
	args       []string
	env, files map[string]string
}

// fill replaces the placeholders everywhere.
func (p Program) fill(values map[string]string) (filled, error) {
	f := filled{env: map[string]string{}, files: map[string]string{}}
	for _, a := range p.Args {
		arg, err := fill(a, values)
		if err != nil {
			return f, fmt.Errorf("filling in args: %w", err)
		}
		f.args = append(f.args, arg)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		var err error
		if f.env[name], err = fill(p.Env[name], values); err != nil {
			return f, fmt.Errorf("filling in env.%s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		if !filepath.IsLocal(name) {
			return f, fmt.Errorf("files.%s leaves the program's folder; write a relative name", name)
		}
		var err error
		if f.files[name], err = fill(p.Files[name], values); err != nil {
			return f, fmt.Errorf("filling in files.%s: %w", name, err)
		}
	}
	return f, nil
}
