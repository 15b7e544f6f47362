package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"

	"github.com/stormproof/stormproof/gateway/config"
)

// TLS is the configuration of a server whose certificates, and whose authorities for clients,
// are read from files and taken over when the files change: the next handshake uses them. It
// is nil where c names no certificate.
func TLS(c config.TLS, log *slog.Logger) (*tls.Config, error) {
	if c.CertFile == "" {
		return nil, nil
	}
	paths := []string{c.CertFile, c.KeyFile}
	if c.ClientCAFile != "" {
		paths = append(paths, c.ClientCAFile)
	}
	f, err := openFile(log, "listen.tls", func(contents [][]byte) (*tls.Config, error) { return serve(c, contents) }, paths...)
	if err != nil {
		return nil, err
	}
	// A session that began with certificates of before cannot be resumed: each configuration
	// has tickets of its own.
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: f.get().NextProtos,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.get(), nil }}, nil
}

// serve makes a configuration of the files: certificates, key and, if any, authorities.
func serve(c config.TLS, contents [][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, fmt.Errorf("reading certFile and keyFile: %w", err)
	}
	out := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: c.Version(), NextProtos: []string{"h2", "http/1.1"}}
	if len(contents) == 2 {
		return out, nil
	}
	out.ClientCAs = x509.NewCertPool()
	if !out.ClientCAs.AppendCertsFromPEM(contents[2]) {
		return nil, errors.New("reading clientCAFile: it holds no certificate in PEM")
	}
	out.ClientAuth = tls.VerifyClientCertIfGiven
	if c.ClientAuth == config.Required {
		out.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return out, nil
}
