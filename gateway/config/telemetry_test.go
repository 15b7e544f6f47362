package config_test

import (
	"strings"
	"testing"

	"github.com/stormproof/stormproof/gateway/config"
)

func TestWhereTracesGoIsCheckedByLineAndField(t *testing.T) {
	for name, tc := range map[string]struct {
		traces, url string
		want        []string // none: it is accepted
	}{
		"nothing":                        {"{}", "", nil},
		"a collector":                    {"{endpoint: 'http://c:4318'}", "http://c:4318/v1/traces", nil},
		"a collector with a slash":       {"{endpoint: 'https://c/', caFile: ca.pem, headersFile: h, sampleRatio: 0.1}", "https://c/v1/traces", nil},
		"a path of its own":              {"{endpoint: 'https://c/otlp/t'}", "https://c/otlp/t", nil},
		"a ratio above 1":                {"{sampleRatio: 2}", "", []string{"g:1:35: telemetry.traces.sampleRatio: 2 must lie between 0 and 1", "0.1"}},
		"a ratio below 0":                {"{sampleRatio: -1}", "", []string{"telemetry.traces.sampleRatio"}},
		"headers without a collector":    {"{headersFile: h}", "", []string{"telemetry.traces.endpoint", "http://otel-collector:4318"}},
		"an authority without collector": {"{caFile: c}", "", []string{"telemetry.traces.endpoint"}},
		"a host alone":                   {"{endpoint: 'collector:4318'}", "", []string{"g:1:32: telemetry.traces.endpoint", "write for example http://otel-collector:4318"}},
		"gRPC":                           {"{endpoint: 'grpc://c:4317'}", "", []string{"telemetry.traces.endpoint"}},
		"no URL":                         {"{endpoint: 'http://c:x'}", "", []string{"telemetry.traces.endpoint"}},
		"credentials in the URL":         {"{endpoint: 'http://u:hush@c'}", "", []string{"telemetry.traces.endpoint", "headersFile"}},
		"a query":                        {"{endpoint: 'http://c?k=hush'}", "", []string{"telemetry.traces.endpoint"}},
		"an authority, not encrypted":    {"{endpoint: 'http://c:1', caFile: c}", "", []string{"telemetry.traces.caFile", "write https://c:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := config.Decode([]byte("telemetry: {traces: "+tc.traces+"}"), "g")
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
					t.Errorf("%q must say %q, and nothing secret", err, want)
				}
			}
			if tc.url != "" && c.Telemetry.Traces.URL() != tc.url {
				t.Errorf("spans go to %q, want %q", c.Telemetry.Traces.URL(), tc.url)
			}
		})
	}
}
