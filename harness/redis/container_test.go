package redis

import (
	"strings"
	"testing"
)

func TestConfigurationInsideAContainer(t *testing.T) {
	for name, tc := range map[string]struct {
		image string
		debug bool
	}{
		"ours":            {"stormproof/redis:7.0.15", true},
		"official":        {"redis:8-alpine", true},
		"a moving tag":    {"redis:latest", true},
		"an old server":   {"redis:6.2-alpine", false},
		"a host in front": {"localhost:5000/library/redis:6.2", false},
	} {
		t.Run(name, func(t *testing.T) {
			text := (&contained{image: tc.image, peer: peer{password: `a"b`}}).config()
			lines := strings.Split(text, "\n")
			has := func(line string) bool {
				for _, l := range lines {
					if l == line {
						return true
					}
				}
				return false
			}
			for _, line := range []string{"bind 0.0.0.0", "protected-mode no", "port 6379", `dir "/data"`, `requirepass "a\"b"`} {
				if !has(line) {
					t.Errorf("no line %q in\n%s", line, text)
				}
			}
			if has("bind 127.0.0.1") || has("enable-debug-command yes") != tc.debug || has("enable-debug-command local") {
				t.Errorf("got\n%s", text)
			}
		})
	}
}
