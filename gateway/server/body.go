package server

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"time"
)

// meter is a body whose bytes are counted against the memory that all bodies share, and whose
// reading is bounded in time. Who is slow holds nothing but what he has sent.
type meter struct {
	io.ReadCloser
	server     *Server
	request    *http.Request
	connection *http.ResponseController
	begun      bool
	held       int64
}

func (s *Server) meter(w http.ResponseWriter, r *http.Request) *meter {
	return &meter{ReadCloser: r.Body, server: s, request: r, connection: http.NewResponseController(w)}
}

// Read implements io.Reader. Its own error is errNoRoom.
func (m *meter) Read(p []byte) (int, error) {
	limits := m.server.limits.Load()
	if !m.begun {
		m.begun = true
		until := time.Now().Add(limits.ReadTimeout)
		if deadline, bounded := m.request.Context().Deadline(); bounded && deadline.Before(until) {
			until = deadline
		}
		_ = m.connection.SetReadDeadline(until) // a test's recorder has no connection
	}
	n, err := m.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		// From here on the connection is only watched: a deadline would look like a client that left.
		_ = m.connection.SetReadDeadline(time.Time{})
	}
	if full := m.hold(int64(n)); full != nil {
		return 0, full
	}
	return n, err
}

// hold reserves n bytes of the memory that bodies share; it waits for them a while.
func (m *meter) hold(n int64) error {
	if n == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(m.request.Context(), m.server.limits.Load().QueueTimeout)
	defer cancel()
	if m.server.bytes.Acquire(ctx, n) != nil {
		if err := m.request.Context().Err(); errors.Is(err, context.DeadlineExceeded) {
			return err // also where there is room: unpacking ends with the request
		}
		return errNoRoom
	}
	m.held += n
	m.server.metrics.bytes.Add(float64(n))
	return nil
}

func (m *meter) release() {
	m.server.bytes.Release(m.held)
	m.server.metrics.bytes.Sub(float64(m.held))
	m.held = 0
}

// unpacked is what comes out of gzip: it takes memory like a body.
type unpacked struct {
	in    io.Reader
	z     *gzip.Reader
	meter *meter
}

// Read implements io.Reader. The header is read at the first call, so that all reading fails
// in one place.
func (u *unpacked) Read(p []byte) (n int, err error) {
	if u.z == nil {
		u.z, err = gzip.NewReader(u.in)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = gzip.ErrHeader // too short for one
		}
		if err != nil {
			return 0, err
		}
	}
	n, err = u.z.Read(p)
	if full := u.meter.hold(int64(n)); full != nil {
		return 0, full
	}
	return n, err
}

// body reads the request within its limits: bytes, as they come and as they come out of gzip.
// The caller gives back by done what they took.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (b []byte, done func(), bad *problem) {
	limit := int64(s.limits.Load().BodyBytes)
	second := s.meter(w, r)
	in := io.Reader(http.MaxBytesReader(w, r.Body, limit))
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		p := newProblem(http.StatusUnsupportedMediaType, "unsupported-media-type", "Content-Type must be application/json", "")
		return nil, second.release, &p
	}
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		in = &unpacked{in: in, meter: second}
	default:
		p := newProblem(http.StatusUnsupportedMediaType, "unsupported-encoding", "Content-Encoding must be gzip or absent", "")
		return nil, second.release, &p
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	return b, second.release, s.unread(err, int64(len(b)) > limit)
}

// errNoRoom says that other bodies take all memory that bodies may take.
var errNoRoom = errors.New("no room")

// unread explains a body that could not be read; nil where it could.
func (s *Server) unread(err error, tooLarge bool) *problem {
	limits := s.limits.Load()
	var p problem
	var over *http.MaxBytesError
	switch {
	case tooLarge, errors.As(err, &over):
		p = newProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large", fmt.Sprintf("limits.bodyBytes is %d", limits.BodyBytes))
	case err == nil:
		return nil
	case errors.Is(err, errNoRoom):
		p = s.overloaded(fmt.Sprintf("all bodies together may take %d bytes (limits.inFlightBytes)", limits.InFlightBytes))
	case errors.Is(err, os.ErrDeadlineExceeded):
		// Not 408: Alertmanager would never send it again.
		p = s.later("too-slow", "The body came too slowly", fmt.Sprintf("limits.readTimeout is %s", limits.ReadTimeout))
	case errors.Is(err, context.DeadlineExceeded):
		p = s.later("too-slow", "The body could not be read in time", fmt.Sprintf("limits.requestTimeout is %s", limits.RequestTimeout))
	case errors.Is(err, gzip.ErrHeader):
		p = newProblem(http.StatusBadRequest, "malformed-gzip", "The body is not gzip", err.Error())
	default:
		p = newProblem(http.StatusBadRequest, "unreadable", "The body could not be read", err.Error())
	}
	return &p
}
