// Package certificates makes what the harness's own servers and clients need to speak TLS: an
// Authority signs as long as a scenario holds it; Make is one certificate and an authority
// whose key is thrown away, so nothing else can be signed with it.
package certificates

import (
	"encoding/pem"
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
	a, err := NewAuthority(now, name)
	if err != nil {
		return Set{}, err
	}
	return a.Issue(name, at...)
}

func text(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
