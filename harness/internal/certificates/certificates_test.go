package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// serve starts a TLS server with a set and returns a client that trusts the set's authority alone.
func serve(t *testing.T, s Set) (*httptest.Server, *http.Client) {
	t.Helper()
	cert, err := tls.X509KeyPair(s.Cert, s.Key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CA) {
		t.Fatal("the authority is no certificate")
	}
	return server, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
}

func TestAClientTrustsTheServerAtItsAddressAndNowhereElse(t *testing.T) {
	for name, tc := range map[string]struct {
		at   net.IP
		good bool
	}{
		"its address": {net.IPv4(127, 0, 0, 1), true},
		"another":     {net.IPv4(127, 0, 0, 2), false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Make(time.Now(), "test", tc.at)
			if err != nil {
				t.Fatal(err)
			}
			server, client := serve(t, s)
			res, err := client.Get(server.URL)
			if err == nil {
				_ = res.Body.Close()
			}
			if (err == nil) != tc.good {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEverySetHasAnAuthorityOfItsOwn(t *testing.T) {
	one, err := Make(time.Now(), "test", net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Make(time.Now(), "test", net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	other.CA = one.CA
	server, client := serve(t, other)
	res, err := client.Get(server.URL)
	if err == nil {
		_ = res.Body.Close()
		t.Error("a client of one set trusts the server of another")
	}
}
