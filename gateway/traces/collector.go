package traces

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/stormproof/stormproof/gateway/config"
)

const (
	// postTimeout bounds one request, attempts how often a batch is sent, pause apart.
	postTimeout = 3 * time.Second
	attempts    = 3
	pause       = time.Second
)

// collector posts spans, as OTLP over HTTP wants it. It implements otlptrace.Client; the
// client of OpenTelemetry itself brings all of gRPC along (decision 0021).
type collector struct {
	url     string
	headers http.Header
	http    *http.Client
}

func newCollector(c config.Traces) (*collector, error) {
	headers, err := readHeaders(c.HeadersFile)
	if err != nil {
		return nil, err
	}
	roots, err := readRoots(c.CAFile)
	if err != nil {
		return nil, err
	}
	return &collector{url: c.URL(), headers: headers, http: &http.Client{Timeout: postTimeout, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}}, nil
}

func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil // those of the system
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("telemetry.traces.caFile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("telemetry.traces.caFile: %s holds no certificate: write one in PEM", path)
	}
	return pool, nil
}

// readHeaders reads lines "Name: value".
func readHeaders(path string) (http.Header, error) {
	out := http.Header{}
	if path == "" {
		return out, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("telemetry.traces.headersFile: %w", err)
	}
	for i, line := range strings.Split(strings.TrimRight(string(text), "\r\n"), "\n") {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("telemetry.traces.headersFile: %s:%d: write Name: value", path, i+1)
		}
		out.Set(name, strings.TrimSpace(value))
	}
	return out, nil
}

// Start implements otlptrace.Client.
func (c *collector) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *collector) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces sends a batch, again where that may help.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	for attempt := 1; ; attempt++ {
		again, err := c.post(ctx, body)
		if err == nil || !again || attempt == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// post sends a body once; again says that the same may be taken later.
func (c *collector) post(ctx context.Context, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("sending spans: %w", err)
	}
	r.Header = c.headers.Clone()
	r.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := c.http.Do(r)
	if err != nil {
		return true, fmt.Errorf("sending spans: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()       // all that is wanted was read
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection can be used again
	switch answer.StatusCode {
	case http.StatusOK:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("%s answered %s", c.url, answer.Status)
}
