package auth

import (
	"crypto/x509"
	"net/http"
	"slices"
)

// certificate knows senders by their client certificates: one of a certificate's names, its
// common name or a subject alternative name, must be in the list. That it is genuine and in
// force TLS has checked already.
type certificate []string

func (c certificate) admit(r *http.Request, _ string) (string, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", errAbsent
	}
	names := namesOf(r.TLS.VerifiedChains[0][0])
	for _, name := range names {
		if name != "" && slices.Contains(c, name) {
			return name, nil
		}
	}
	return "", forbidden("none of the client certificate's names %q is in auth.certificate.names", names)
}

func (c certificate) challenge() string { return "" }

func namesOf(c *x509.Certificate) []string {
	names := append([]string{c.Subject.CommonName}, c.DNSNames...)
	names = append(names, c.EmailAddresses...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
