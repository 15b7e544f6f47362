// Package certificates makes what the harness's own servers need to speak TLS: an authority
// for the occasion and one certificate that it signed. The authority's key is thrown away,
// so nothing else can be signed with it.
package certificates

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
	"time"
)

// validFor is longer than an environment that is held open for authoring lives.
const validFor = 30 * 24 * time.Hour

// Set is an authority and a certificate that is good for servers and for clients, as PEM.
type Set struct{ CA, Cert, Key []byte }

// Make makes a set for servers at these addresses and at localhost, valid from an hour
// before now. The name is for people who look at a certificate.
func Make(now time.Time, name string, at ...net.IP) (Set, error) {
	s, err := sign(now, name, at)
	if err != nil {
		return Set{}, fmt.Errorf("making certificates for %s: %w", name, err)
	}
	return s, nil
}

func sign(now time.Time, name string, at []net.IP) (Set, error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Set{}, err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name + " authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validFor),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return Set{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Set{}, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: at, DNSNames: []string{"localhost"},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), authorityKey)
	if err != nil {
		return Set{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Set{}, err
	}
	return Set{CA: text("CERTIFICATE", authorityDER), Cert: text("CERTIFICATE", leafDER), Key: text("PRIVATE KEY", keyDER)}, nil
}

func text(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
