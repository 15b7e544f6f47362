package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/policy"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := config.Defaults().Validate(); err != nil {
		t.Error(err)
	}
}

func TestDecodeLaysTheFileOverTheDefaults(t *testing.T) {
	for name, tc := range map[string]struct {
		yaml string
		edit func(*config.Config)
	}{
		"an empty file":         {"", func(*config.Config) {}},
		"a comment alone":       {"# nothing\n", func(*config.Config) {}},
		"durations and sizes":   {"dedup: {window: 90s}\nlimits: {bodyBytes: 2MiB}\n", func(c *config.Config) { c.Dedup.Window, c.Limits.BodyBytes = 90*time.Second, 2<<20 }},
		"a size in plain bytes": {"limits: {bodyBytes: 4096}\n", func(c *config.Config) { c.Limits.BodyBytes = 4096 }},
		"a switch turned off":   {"dedup: {holdWhileActive: false}\n", func(c *config.Config) { c.Dedup.HoldWhileActive = false }},
		"limits that just fit": {"limits: {bodyBytes: 1KiB, inFlightBytes: 1KiB, depth: 4, labels: 128, nameBytes: 4KiB, queue: 0, rate: {perSecond: 0.1}}\n", func(c *config.Config) {
			c.Limits.BodyBytes, c.Limits.InFlightBytes, c.Limits.Depth, c.Limits.NameBytes, c.Limits.Queue, c.Limits.Rate.PerSecond = 1024, 1024, 4, 4096, 0, 0.1
		}},
		"a list replaces, it does not add": {"dedup: {ignoredLabels: [replica]}\n", func(c *config.Config) { c.Dedup.IgnoredLabels = []string{"replica"} }},
		"storm rules": {"storm:\n  rules:\n  - {name: a, by: [alertname], threshold: 3, window: 2m}\n", func(c *config.Config) {
			c.Storm.Rules = []config.StormRule{{Name: "a", By: []string{"alertname"}, Threshold: 3, Window: 2 * time.Minute}}
		}},
		"a shadow of what differs": {"dedup: {window: 90s}\nshadow: {policy: {environments: {shop: production}}}\n", func(c *config.Config) {
			c.Dedup.Window = 90 * time.Second
			c.Shadow = &config.Rules{Dedup: c.Dedup, Storm: c.Storm, Policy: policy.Default()}
			c.Shadow.Policy.Environments["shop"] = "production"
		}},
		"namespaces of an environment": {"policy: {environments: {shop: production}}\n", func(c *config.Config) { c.Policy.Environments["shop"] = "production" }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config.Decode([]byte(tc.yaml), "gateway.yaml")
			if err != nil {
				t.Fatal(err)
			}
			want := config.Defaults()
			tc.edit(&want)
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecodeSaysWhatIsWrongAndWhere(t *testing.T) {
	for name, tc := range map[string]struct {
		yaml string
		want []string
	}{
		"an unknown key, with the nearest one":   {"dedup:\n  windw: 5m\n", []string{"gateway.yaml:2:3", `"windw"`, `did you mean "window"`}},
		"a shadow that is wrong":                 {"shadow:\n  dedup:\n    window: 0s\n", []string{"gateway.yaml:3:13: shadow.dedup.window"}},
		"an unknown key in a shadow":             {"shadow:\n  dedup:\n    windw: 1s\n", []string{"gateway.yaml:3:5", `did you mean "window"`}},
		"an unknown section":                     {"reddis: {}\n", []string{"gateway.yaml:1:1", `did you mean "redis"`}},
		"a wrong type":                           {"limits:\n  alerts: many\n", []string{"gateway.yaml:2:"}},
		"a body that no memory is left for":      {"limits: {bodyBytes: 1KiB, inFlightBytes: 1023}\n", []string{"gateway.yaml:1:42: limits.inFlightBytes", "1024"}},
		"a depth that no webhook fits into":      {"limits: {depth: 3}\n", []string{"limits.depth", "at least 4"}},
		"names that fill an object":              {"limits: {labels: 128, nameBytes: 4097}\n", []string{"limits.nameBytes", "524288"}},
		"a queue of less than nothing":           {"limits: {queue: -1}\n", []string{"limits.queue"}},
		"a rate of less than nothing":            {"limits: {rate: {perSecond: -1}}\n", []string{"limits.rate.perSecond"}},
		"a rate without a burst":                 {"limits: {rate: {perSecond: 1, burst: 0}}\n", []string{"limits.rate.burst"}},
		"no patience for headers":                {"limits: {headerTimeout: 0s}\n", []string{"limits.headerTimeout"}},
		"a size that is none":                    {"limits:\n  bodyBytes: huge\n", []string{"gateway.yaml", "16MiB"}},
		"broken YAML":                            {"dedup: [\n", []string{"gateway.yaml:"}},
		"an unknown reaction":                    {"redis: {onFailure: shrug}\n", []string{"redis.onFailure", `"shrug"`}},
		"a prefix with a brace":                  {"redis: {prefix: 'a{b'}\n", []string{"gateway.yaml:1:17: redis.prefix"}},
		"a client name with a space":             {"redis: {clientName: 'a b'}\n", []string{"redis.clientName"}},
		"a storm rule by an ignored label":       {"storm: {rules: [{name: a, by: [severity], threshold: 3, window: 1m}]}\n", []string{"storm.rules[0].by", "dedup.ignoredLabels"}},
		"a storm rule of threshold nought":       {"storm: {rules: [{name: a, by: [alertname], threshold: 0, window: 1m}]}\n", []string{"gateway.yaml:1:55: storm.rules[0].threshold"}},
		"a storm rule by nothing":                {"storm: {rules: [{name: a, by: [], threshold: 2, window: 1m}]}\n", []string{"storm.rules[0].by"}},
		"two storm rules of one name":            {"storm: {rules: [{name: a, by: [x], threshold: 2, window: 1m}, {name: a, by: [y], threshold: 2, window: 1m}]}\n", []string{"gateway.yaml:1:70: storm.rules[1].name"}},
		"no storm rules":                         {"storm: {rules: []}\n", []string{"storm.rules", "at least one"}},
		"ignoring the alert's name":              {"dedup: {ignoredLabels: [alertname]}\n", []string{"dedup.ignoredLabels"}},
		"an identity that does not exist":        {"dedup: {identity: name}\n", []string{"dedup.identity"}},
		"a window of nothing":                    {"dedup: {window: 0s}\n", []string{"gateway.yaml:1:17: dedup.window", "30s"}},
		"a namespace that cannot exist":          {"kubernetes: {namespace: No_Such}\n", []string{"kubernetes.namespace"}},
		"a fallback namespace that cannot exist": {"kubernetes: {fallbackNamespace: '-'}\n", []string{"kubernetes.fallbackNamespace"}},
		"no queries per second":                  {"kubernetes: {qps: 0}\n", []string{"kubernetes.qps"}},
		"an address without a port":              {"listen: {public: localhost}\n", []string{"listen.public"}},
		"a trusted proxy that is no network":     {"listen: {trustedProxies: [10.0.0.0/8, 10.0.0.1]}\n", []string{"gateway.yaml:1:39: listen.trustedProxies[1]", "10.1.2.3/32"}},
		"a log level that does not exist":        {"log: {level: loud}\n", []string{"log.level"}},
		"a policy that cannot decide":            {"policy: {table: []}\n", []string{"gateway.yaml:1:17: policy.table"}},
		"two problems at once":                   {"dedup:\n  window: 0s\nlog:\n  level: loud\n", []string{"gateway.yaml:2:11: dedup.window", "gateway.yaml:4:10: log.level"}},
		"a rule that lacks a key":                {"storm:\n  rules:\n  - {name: a, by: [alertname], threshold: 3}\n", []string{"gateway.yaml:3:", "storm.rules[0].window"}},
		"a namespace in no environment":          {"policy:\n  environments:\n    shop-eu: prod\n", []string{"gateway.yaml:3:14: policy.environments.shop-eu", "production"}},
		"a password file that is missing":        {"redis: {passwordFile: no/such/file}\n", []string{"redis.passwordFile"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Decode([]byte(tc.yaml), "gateway.yaml")
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	file := filepath.Join(dir, "gateway.yaml")
	for path, text := range map[string]string{secret: "hush\n", file: "redis: {passwordFile: " + secret + "}\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Redis.Password != "hush" {
		t.Error("the password file was not read, or its newline was kept")
	}
	if _, err := config.Load(filepath.Join(dir, "none.yaml")); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("error %v does not name the flag", err)
	}
	if c, err := config.Load(""); err != nil || !cmp.Equal(c, config.Defaults()) {
		t.Errorf("no file gave %v, want the defaults", err)
	}
}

func TestBytesAreWrittenAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"16MiB", "1GiB", "3KiB", "1000", "0"} {
		var b config.Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := b.MarshalText(); err != nil || string(got) != text {
			t.Errorf("%s came back as %s, %v", text, got, err)
		}
	}
}

func TestWhatDefaultsPrintsIsTheDefaults(t *testing.T) {
	var b strings.Builder
	if err := config.Defaults().Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := config.Decode([]byte(b.String()), "defaults.yaml")
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if d := cmp.Diff(config.Defaults(), got); d != "" {
		t.Errorf("%s\n%s", d, b.String())
	}
	for _, line := range []string{"  window: 5m", "  bodyBytes: 16MiB"} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("there is no line %q in\n%s", line, b.String())
		}
	}
}

func TestChangedNamesKeysAndNeverValues(t *testing.T) {
	c := config.Defaults()
	c.Redis.Password, c.Dedup.Window, c.Storm.Rules[0].Threshold, c.Limits.InFlight = "hush", time.Hour, 3, 7
	got := config.Changed(config.Defaults(), c)
	want := []string{"redis.password", "dedup.window", "storm.rules", "limits.inFlight"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var fixed []string
	for _, key := range got {
		if config.NeedsRestart(key) {
			fixed = append(fixed, key)
		}
	}
	if d := cmp.Diff([]string{"redis.password", "limits.inFlight"}, fixed); d != "" {
		t.Error(d)
	}
}
