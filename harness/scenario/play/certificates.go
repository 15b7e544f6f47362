package play

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stormproof/stormproof/harness/internal/certificates"
	"github.com/stormproof/stormproof/harness/scenario"
)

// Names of the files that needs.https makes.
const tlsCert, tlsKey, clientsCA = "tls-cert", "tls-key", "clients-ca"

// authorities are who signs the certificates of a world with needs.https.
type authorities struct {
	mu              sync.Mutex
	server, clients *certificates.Authority
	stranger        *certificates.Authority
	servers         int
	// probe is the harness's own client certificate.
	probe *tls.Certificate
	// senders are the HTTP clients, by what makes them differ.
	senders map[string]*http.Client
}

// certify makes the certificates of a world that needs some.
func (w *world) certify() error {
	if !w.scenario.Needs.HTTPS {
		return nil
	}
	a := &authorities{senders: map[string]*http.Client{}}
	var err error
	if a.server, err = certificates.NewAuthority(time.Now(), "server"); err != nil {
		return err
	}
	if a.stranger, err = certificates.NewAuthority(time.Now(), "stranger"); err != nil {
		return err
	}
	w.authorities = a
	// The harness itself shows a certificate, too: a listener may want one of everybody.
	w.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, TLSClientConfig: a.trust(func() *tls.Certificate {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.probe
	})}}
	return errors.Join(w.renew(scenario.RenewServer), w.renew(scenario.RenewClients))
}

// renew writes certificates anew. Connections that are open would not notice.
func (w *world) renew(what string) error {
	a := w.authorities
	a.mu.Lock()
	defer a.mu.Unlock()
	if what == scenario.RenewServer {
		a.servers++
		set, err := a.server.Issue(fmt.Sprintf("gateway-%d", a.servers), net.IPv4(127, 0, 0, 1))
		if err != nil {
			return err
		}
		a.close()
		return errors.Join(w.writeFile(tlsKey, set.Key), w.writeFile(tlsCert, set.Cert))
	}
	var err error
	if a.clients, err = certificates.NewAuthority(time.Now(), "clients"); err != nil {
		return err
	}
	if a.probe, err = pair(a.clients, "probe"); err != nil {
		return err
	}
	a.close()
	w.http.CloseIdleConnections()
	return w.writeFile(clientsCA, a.clients.CA)
}

// pair is a client certificate with its key.
func pair(by *certificates.Authority, name string) (*tls.Certificate, error) {
	set, err := by.Issue(name)
	if err != nil {
		return nil, err
	}
	out, err := tls.X509KeyPair(set.Cert, set.Key)
	return &out, err
}

// trust is the configuration of clients that know the server's authority, and show a
// certificate whatever authorities the server names: a stranger does, too.
func (a *authorities) trust(show func() *tls.Certificate) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(a.server.CA)
	if show != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return show(), nil }
	}
	return c
}

// close forgets the senders and their connections.
func (a *authorities) close() {
	for _, c := range a.senders {
		c.CloseIdleConnections()
	}
	clear(a.senders)
}

// client is a sender that trusts the server's authority, with a certificate or without.
func (a *authorities) client(of *scenario.CertificateOf, version string) (*http.Client, error) {
	key := fmt.Sprintf("%+v %s", of, version)
	if of != nil {
		key = fmt.Sprintf("%+v %s", *of, version)
	}
	if c := a.senders[key]; c != nil {
		return c, nil
	}
	var show func() *tls.Certificate
	if of != nil {
		by := a.clients
		if of.Stranger {
			by = a.stranger
		}
		mine, err := pair(by, of.Name)
		if err != nil {
			return nil, err
		}
		show = func() *tls.Certificate { return mine }
	}
	c := a.trust(show)
	if v, given := versions[version]; given {
		c.MinVersion, c.MaxVersion = v, v
	}
	a.senders[key] = &http.Client{Transport: &http.Transport{TLSClientConfig: c, MaxIdleConnsPerHost: 256}}
	return a.senders[key], nil
}

var versions = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// senderOf is the HTTP client of a send.
func (w *world) senderOf(s *scenario.Send) (*http.Client, error) {
	if w.authorities == nil {
		return w.http, nil
	}
	w.authorities.mu.Lock()
	defer w.authorities.mu.Unlock()
	var of *scenario.CertificateOf
	if s.As != nil {
		of = s.As.Certificate
	}
	return w.authorities.client(of, s.TLS)
}

// closeIdle closes the connections that no request uses.
func (w *world) closeIdle() {
	w.http.CloseIdleConnections()
	if a := w.authorities; a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.close()
	}
}

// public is the URL of a public listener.
func (w *world) public(url string) string {
	if w.authorities == nil {
		return url
	}
	return "https://" + strings.TrimPrefix(url, "http://")
}
