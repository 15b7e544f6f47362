package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const loopback = "127.0.0.1"

// validFor is longer than an environment that is held open for authoring lives.
const validFor = 30 * 24 * time.Hour

// certificates are PEM files of one set of servers.
type certificates struct{ ca, cert, key string }

// makeCertificates writes an authority and one certificate that all servers of the set
// share. Its key is used by a server to accept connections and to open those to its peers.
// The authority's own key is never stored.
func makeCertificates(dir string, now time.Time) (certificates, error) {
	c := certificates{ca: filepath.Join(dir, "ca.pem"), cert: filepath.Join(dir, "server.pem"), key: filepath.Join(dir, "server-key.pem")}
	if err := c.write(now); err != nil {
		return certificates{}, fmt.Errorf("making certificates: %w", err)
	}
	return c, nil
}

func (c certificates) write(now time.Time) error {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stormproof redis authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validFor),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "stormproof redis"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.ParseIP(loopback)}, DNSNames: []string{"localhost"},
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, authority, key.Public(), authorityKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for _, f := range []struct{ path, kind, body string }{
		{c.ca, "CERTIFICATE", string(authorityDER)}, {c.cert, "CERTIFICATE", string(serverDER)}, {c.key, "PRIVATE KEY", string(keyDER)},
	} {
		text := pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: []byte(f.body)})
		if err := os.WriteFile(f.path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// lines make a server speak TLS only, to clients and to its peers.
func (c certificates) lines(port string) []string {
	return []string{
		"port 0",
		"tls-port " + port,
		"tls-cert-file " + quote(c.cert),
		"tls-key-file " + quote(c.key),
		"tls-ca-cert-file " + quote(c.ca),
		"tls-auth-clients no",
		"tls-replication yes",
		"tls-cluster yes",
	}
}
