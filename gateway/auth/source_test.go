package auth_test

import (
	"context"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stormproof/stormproof/gateway/auth"
)

func TestSource(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		trusted    []netip.Prefix
		want       string
	}{
		{"nobody is trusted by default", "10.0.0.1:4711", []string{"203.0.113.9"}, nil, "address:10.0.0.1"},
		{"a peer that is no proxy", "192.0.2.1:4711", []string{"203.0.113.9"}, proxies, "address:192.0.2.1"},
		{"a proxy", "10.0.0.1:4711", []string{"203.0.113.9"}, proxies, "address:203.0.113.9"},
		{"a sender that wrote the header himself", "10.0.0.1:4711", []string{"198.51.100.1, 203.0.113.9"}, proxies, "address:203.0.113.9"},
		{"two proxies, two lines", "10.0.0.1:4711", []string{"203.0.113.9", "10.0.0.2"}, proxies, "address:203.0.113.9"},
		{"a proxy that sends for itself", "10.0.0.1:4711", nil, proxies, "address:10.0.0.1"},
		{"rubbish", "10.0.0.1:4711", []string{"203.0.113.9, unknown"}, proxies, "address:10.0.0.1"},
		{"an IPv4 address in IPv6", "[::ffff:10.0.0.1]:4711", []string{"::ffff:203.0.113.9"}, proxies, "address:203.0.113.9"},
		{"IPv6", "[fd00::1]:4711", []string{"2001:db8::1"}, proxies, "address:2001:db8::1"},
		{"not TCP", "@", []string{"203.0.113.9"}, proxies, "address:@"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
			if got := auth.Source(auth.Receive(r, c.trusted).Context()); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := auth.Source(context.Background()); got != "" {
		t.Errorf("outside of a request: %q", got)
	}
}
