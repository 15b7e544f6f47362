package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync/atomic"
	"time"
)

// Authority signs certificates as long as it is held.
type Authority struct {
	// CA is its own certificate, as PEM.
	CA     []byte
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	issued atomic.Int64
}

// NewAuthority makes one, valid from an hour before now.
func NewAuthority(now time.Time, name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the authority %s: %w", name, err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name + " authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validFor),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the authority %s: %w", name, err)
	}
	return &Authority{CA: text("CERTIFICATE", der), cert: cert, key: key}, nil
}

// Issue makes a certificate that is good for clients, and for servers at these addresses and
// at localhost. The name is its common name.
func (a *Authority) Issue(name string, at ...net.IP) (Set, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Set{}, fmt.Errorf("making a certificate for %s: %w", name, err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1 + a.issued.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: at, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, key.Public(), a.key)
	if err != nil {
		return Set{}, fmt.Errorf("making a certificate for %s: %w", name, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Set{}, fmt.Errorf("making a certificate for %s: %w", name, err)
	}
	return Set{CA: a.CA, Cert: text("CERTIFICATE", der), Key: text("PRIVATE KEY", keyDER)}, nil
}
