package redis

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/stormproof/stormproof/harness/internal/certificates"
)

const loopback = "127.0.0.1"

// keyFiles are PEM files of one set of servers.
type keyFiles struct{ ca, cert, key string }

// makeCertificates writes an authority and one certificate that all servers of the set
// share. Its key is used by a server to accept connections and to open those to its peers.
func makeCertificates(dir string, now time.Time) (keyFiles, error) {
	set, err := certificates.Make(now, "stormproof redis", net.ParseIP(loopback))
	if err != nil {
		return keyFiles{}, err
	}
	c := keyFiles{ca: filepath.Join(dir, "ca.pem"), cert: filepath.Join(dir, "server.pem"), key: filepath.Join(dir, "server-key.pem")}
	for path, text := range map[string][]byte{c.ca: set.CA, c.cert: set.Cert, c.key: set.Key} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return keyFiles{}, fmt.Errorf("writing certificates: %w", err)
		}
	}
	return c, nil
}

// lines make a server speak TLS only, to clients and to its peers.
func (c keyFiles) lines(port string) []string {
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
