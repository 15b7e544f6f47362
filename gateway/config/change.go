package config

import (
	"reflect"
	"strings"
)

// Changed names the keys whose values differ, never the values: some are secret. A list or
// map counts as one key.
func Changed(a, b Config) []string {
	return changed("", reflect.ValueOf(a), reflect.ValueOf(b))
}

func changed(path string, a, b reflect.Value) []string {
	if a.Kind() != reflect.Struct {
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			return nil
		}
		return []string{path}
	}
	var out []string
	for i := range a.NumField() {
		key, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ",")
		if path != "" {
			key = path + "." + key
		}
		out = append(out, changed(key, a.Field(i), b.Field(i))...)
	}
	return out
}

// NeedsRestart reports whether a key is read at the start only.
func NeedsRestart(key string) bool {
	section, _, _ := strings.Cut(key, ".")
	switch section {
	case "listen", "kubernetes", "redis", "telemetry":
		return true
	}
	switch key {
	case "limits.inFlight", "limits.inFlightBytes", "limits.requestTimeout", "limits.headerTimeout", "limits.parkedAlerts", "limits.parkedBytes":
		return true
	}
	return false
}
