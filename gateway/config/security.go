package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// TLS of the public listener; off without CertFile. The files are read again when they change.
type TLS struct {
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
	// ClientCAFile holds the authorities of client certificates; "" asks for none.
	ClientCAFile string     `yaml:"clientCAFile"`
	ClientAuth   ClientAuth `yaml:"clientAuth"`
	// MinVersion is "1.2" or "1.3".
	MinVersion string `yaml:"minVersion"`
}

// ClientAuth says who needs a client certificate.
type ClientAuth string

// Optional leaves it to auth who is let in; Required ends a handshake without one, probes of
// the public listener included.
const (
	Optional ClientAuth = "optional"
	Required ClientAuth = "required"
)

// Auth is who may send alerts. Each part that names something is on, and any of them may let
// a request in; with none, everybody is let in.
type Auth struct {
	Certificate Certificate `yaml:"certificate"`
	HMAC        HMAC        `yaml:"hmac"`
	TokenReview TokenReview `yaml:"tokenReview"`
	Basic       Basic       `yaml:"basic"`
}

// Certificate lets in client certificates of listen.tls.clientCAFile.
type Certificate struct {
	// Names is compared with the common name and the subject alternative names.
	Names []string `yaml:"names"`
}

// HMAC lets in signed requests, in the form of Standard Webhooks.
type HMAC struct {
	Keys []HMACKey `yaml:"keys"`
	// Tolerance is how far a signature's time may be away from now, to both sides.
	Tolerance time.Duration `yaml:"tolerance"`
}

// HMACKey is a sender and the file of his secrets, one a line: several let him change over.
type HMACKey struct {
	Name string `yaml:"name"`
	File string `yaml:"file"`
}

// TokenReview lets in bearer tokens that Kubernetes knows.
type TokenReview struct {
	// Audiences are those that a token must be for, one of them.
	Audiences []string `yaml:"audiences"`
	// CacheTTL is how long an answer of the API server holds, and so the longest time that a
	// token is let in after its end; CacheSize how many are remembered.
	CacheTTL      time.Duration `yaml:"cacheTTL"`
	CacheSize     int           `yaml:"cacheSize"`
	Authorization Authorization `yaml:"authorization"`
}

// Authorization is the right that a token's user must have. The resource need not exist: it
// is a name to give rights by. The name of the object is the source's, for example alertmanager.
type Authorization struct {
	Verb     string `yaml:"verb"`
	Group    string `yaml:"group"`
	Resource string `yaml:"resource"`
	// Namespace is where a role gives the right; "" is every namespace, by a cluster role.
	Namespace string `yaml:"namespace"`
}

// Basic lets in names and passwords.
type Basic struct {
	// UsersFile holds lines of name:bcrypt-hash, as htpasswd -B writes them.
	UsersFile string `yaml:"usersFile"`
}

func defaultAuth() Auth {
	return Auth{
		Certificate: Certificate{Names: []string{}},
		HMAC:        HMAC{Keys: []HMACKey{}, Tolerance: 5 * time.Minute},
		TokenReview: TokenReview{Audiences: []string{}, CacheTTL: 30 * time.Second, CacheSize: 1024,
			Authorization: Authorization{Verb: "create", Group: "remediation.stormproof.io", Resource: "alerts"}},
	}
}

// Version is MinVersion as crypto/tls has it.
func (t TLS) Version() uint16 {
	if t.MinVersion == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

func (t TLS) validate() error {
	var errs []error
	if (t.CertFile == "") != (t.KeyFile == "") {
		errs = append(errs, wrong("listen.tls", "certFile and keyFile go together: write both, or none"))
	}
	if t.ClientCAFile != "" && t.CertFile == "" {
		errs = append(errs, wrong("listen.tls.clientCAFile", "client certificates need TLS: write listen.tls.certFile and keyFile"))
	}
	switch {
	case t.ClientAuth != Optional && t.ClientAuth != Required:
		errs = append(errs, wrong("listen.tls.clientAuth", `%q must be "optional" or "required"`, t.ClientAuth))
	case t.ClientAuth == Required && t.ClientCAFile == "":
		errs = append(errs, wrong("listen.tls.clientAuth", `"required" needs listen.tls.clientCAFile, or nobody could come in`))
	}
	if t.MinVersion != "1.2" && t.MinVersion != "1.3" {
		errs = append(errs, wrong("listen.tls.minVersion", `%q must be "1.2" or "1.3", in quotes`, t.MinVersion))
	}
	return errors.Join(errs...)
}

func (a Auth) validate(t TLS) error {
	r := a.TokenReview
	errs := []error{positive("auth.hmac.tolerance", a.HMAC.Tolerance), positive("auth.tokenReview.cacheTTL", r.CacheTTL), atLeast("auth.tokenReview.cacheSize", r.CacheSize, 1)}
	if len(a.Certificate.Names) > 0 && t.ClientCAFile == "" {
		errs = append(errs, wrong("auth.certificate.names", "client certificates need listen.tls.clientCAFile"))
	}
	if r.Authorization.Verb == "" || r.Authorization.Resource == "" {
		errs = append(errs, wrong("auth.tokenReview.authorization", "verb and resource must be set"))
	}
	for field, list := range map[string][]string{"auth.certificate.names": a.Certificate.Names, "auth.tokenReview.audiences": r.Audiences} {
		for i, text := range list {
			if text == "" {
				errs = append(errs, wrong(fmt.Sprintf("%s[%d]", field, i), "must not be empty"))
			}
		}
	}
	names := map[string]bool{}
	for i, k := range a.HMAC.Keys {
		if k.Name == "" || names[k.Name] {
			errs = append(errs, wrong(fmt.Sprintf("auth.hmac.keys[%d].name", i), "%q must be set, and unlike the others; a second secret of one sender is another line in his file", k.Name))
		}
		names[k.Name] = true
		if k.File == "" {
			errs = append(errs, wrong(fmt.Sprintf("auth.hmac.keys[%d].file", i), "must be set"))
		}
	}
	return errors.Join(errs...)
}
