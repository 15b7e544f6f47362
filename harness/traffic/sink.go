package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stormproof/stormproof/harness/fault"
)

// mostSunk bounds the body of one request to a Sink, in bytes.
const mostSunk = 64 << 20

// Received is a request that a Sink got.
type Received struct {
	Method, Path string
	Headers      map[string]string
	// Body is what JSON.Unmarshal makes of it, the spans of an OTLP export, or the text.
	Body any
	// At is when it came in, since the Sink was opened; Status what it was answered, 0 for nothing.
	At     time.Duration
	Status int
}

// Sink is an HTTP server that records whatever it is sent and answers 200, unless a fault
// at its Door wants something else.
type Sink struct {
	fault.Door
	server *http.Server
	addr   string
	opened time.Time
	done   sync.WaitGroup

	mu       sync.Mutex
	received []Received
}

// NewSink opens a sink on a free loopback port.
func NewSink(ctx context.Context) (*Sink, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a sink: %w", err)
	}
	s := &Sink{addr: l.Addr().String(), opened: time.Now()}
	s.server = &http.Server{Handler: http.HandlerFunc(s.take), ReadHeaderTimeout: 10 * time.Second}
	s.done.Go(func() { _ = s.server.Serve(l) }) // it ends when Close does
	return s, nil
}

// URL of the sink, without a trailing slash.
func (s *Sink) URL() string { return "http://" + s.addr }

func (s *Sink) take(w http.ResponseWriter, r *http.Request) {
	at := time.Since(s.opened)
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostSunk))
	if err != nil {
		return // the sender went away; nothing was delivered
	}
	got := Received{Method: r.Method, Path: r.URL.RequestURI(), Headers: map[string]string{}, At: at}
	for name := range r.Header {
		got.Headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	good := http.StatusOK
	if got.Headers["content-type"] == protobuf {
		if got.Body, err = spansOf(b); err != nil {
			good = http.StatusBadRequest
		}
	} else if json.Unmarshal(b, &got.Body) != nil {
		got.Body = string(b)
	}
	// It is recorded when it comes in, so that a request that hangs is seen, too.
	s.mu.Lock()
	n := len(s.received)
	s.received = append(s.received, got)
	s.mu.Unlock()
	status := s.Meet(w, r)
	if status < 0 {
		panic(http.ErrAbortHandler)
	}
	if status == 0 {
		status = good
		w.WriteHeader(good)
	}
	s.mu.Lock()
	s.received[n].Status = status
	s.mu.Unlock()
}

// Received lists the requests so far, in the order in which they came in.
func (s *Sink) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received{}, s.received...)
}

// Close cuts open connections and waits for the server to end.
func (s *Sink) Close() error {
	err := s.server.Close()
	s.done.Wait()
	return err
}
