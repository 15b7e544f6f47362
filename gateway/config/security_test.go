package config_test

import (
	"strings"
	"testing"

	"github.com/stormproof/stormproof/gateway/config"
)

func TestSecurityThatCannotWorkIsToldWithItsField(t *testing.T) {
	const tls = "certFile: a, keyFile: b"
	for text, want := range map[string]string{
		"listen: {tls: {certFile: a}}":                                                      "listen.tls",
		"listen: {tls: {clientCAFile: a}}":                                                  "listen.tls.clientCAFile",
		"listen: {tls: {" + tls + ", clientAuth: maybe}}":                                   "listen.tls.clientAuth",
		"listen: {tls: {" + tls + ", clientAuth: required}}":                                "listen.tls.clientCAFile",
		"listen: {tls: {" + tls + ", minVersion: '1.1'}}":                                   "listen.tls.minVersion",
		"auth: {certificate: {names: [a]}}":                                                 "auth.certificate.names",
		"auth: {tokenReview: {audiences: ['']}}":                                            "auth.tokenReview.audiences[0]",
		"auth: {tokenReview: {cacheTTL: 0s}}":                                               "auth.tokenReview.cacheTTL",
		"auth: {tokenReview: {cacheSize: 0}}":                                               "auth.tokenReview.cacheSize",
		"auth: {tokenReview: {authorization: {verb: ''}}}":                                  "auth.tokenReview.authorization",
		"auth: {hmac: {tolerance: 0s}}":                                                     "auth.hmac.tolerance",
		"auth: {hmac: {keys: [{name: a}]}}":                                                 "auth.hmac.keys[0].file",
		"auth: {hmac: {keys: [{file: f}]}}":                                                 "auth.hmac.keys[0].name",
		"auth: {hmac: {keys: [{name: a, file: f}, {name: a, file: g}]}}":                    "auth.hmac.keys[1].name",
		"listen: {tls: {" + tls + ", clientCAFile: c}}\nauth: {certificate: {names: ['']}}": "auth.certificate.names[0]",
	} {
		if _, err := config.Decode([]byte(text), "gateway.yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{
		"listen: {tls: {" + tls + ", clientCAFile: c, clientAuth: required, minVersion: '1.3'}}\nauth: {certificate: {names: [a]}}",
		"auth: {tokenReview: {audiences: [a]}, basic: {usersFile: u}, hmac: {keys: [{name: a, file: f}, {name: b, file: f}]}}",
	} {
		if _, err := config.Decode([]byte(text), "gateway.yaml"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
