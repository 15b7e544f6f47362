package traffic_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stormproof/stormproof/harness/traffic"
)

func TestCheckTarget(t *testing.T) {
	network := netip.MustParsePrefix("10.89.0.0/16")
	own := traffic.Allow(network.Contains)
	for name, c := range map[string]struct {
		url     string
		allow   traffic.Allow
		ok      bool
		refused bool
	}{
		"loopback":               {"http://127.0.0.1:80/x", nil, true, false},
		"loopback by name":       {"https://localhost:1", nil, true, false},
		"loopback in IPv6":       {"http://[::1]:8080", nil, true, false},
		"loopback, mapped":       {"http://[::ffff:127.0.0.1]:80", nil, true, false},
		"another machine":        {"http://192.0.2.1", nil, false, true},
		"the run's own network":  {"http://10.89.3.4:80", own, true, false},
		"beside the run's own":   {"http://10.90.0.1:80", own, false, true},
		"all addresses":          {"http://0.0.0.0:80", nil, false, true},
		"metadata of a cloud":    {"http://169.254.169.254/", own, false, true},
		"no host":                {"http://", nil, false, false},
		"another scheme":         {"ftp://127.0.0.1", nil, false, false},
		"without a scheme":       {"127.0.0.1:80", nil, false, false},
		"a name dressed as home": {"http://127.0.0.1@192.0.2.1/", nil, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := traffic.CheckTarget(t.Context(), c.url, c.allow)
			var refused *traffic.TargetError
			if (err == nil) != c.ok || errors.As(err, &refused) != c.refused {
				t.Errorf("%s: error %v; want ok %v, refused %v", c.url, err, c.ok, c.refused)
			}
		})
	}
}

func TestTheGuardSeesWhereAConnectionReallyGoes(t *testing.T) {
	// A redirect leads elsewhere: 192.0.2.1 is nobody's (RFC 5737).
	server := httptest.NewServer(http.RedirectHandler("http://192.0.2.1/", http.StatusTemporaryRedirect))
	defer server.Close()
	transport := traffic.GuardedTransport(nil, 1)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	res, err := client.Get(server.URL)
	if err == nil {
		err = res.Body.Close()
	}
	var refused *traffic.TargetError
	if !errors.As(err, &refused) || refused.Addr != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("error %v, want a TargetError for 192.0.2.1", err)
	}
}

func TestTheGuardIgnoresProxies(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:3128")
	if traffic.GuardedTransport(nil, 1).Proxy != nil {
		t.Error("a proxy would carry load to where the guard cannot look")
	}
}
