package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// commandTimeout bounds a command on a server that accepts connections and says nothing.
const commandTimeout = 5 * time.Second

// errClosed means that the server closed the connection without an answer.
var errClosed = errors.New("the server closed the connection")

// serverError is an error that the server answered.
type serverError string

func (e serverError) Error() string { return "the server answered " + string(e) }

// loading is the answer of a server that still reads its data.
func (e serverError) loading() bool { return strings.HasPrefix(string(e), "LOADING ") }

// ping reports whether the server is ready to be used with the password.
func ping(ctx context.Context, addr, password string) error {
	return peer{addr: addr, password: password}.ping(ctx)
}

// command runs one command on a server without TLS.
func command(ctx context.Context, addr, password string, args ...string) (string, error) {
	return peer{addr: addr, password: password}.command(ctx, args...)
}

// peer is a server as it is asked whether it is up.
type peer struct {
	addr, password string
	tls            *tls.Config // nil for a server without TLS
}

func (p peer) ping(ctx context.Context) error {
	_, err := p.command(ctx, "PING")
	return err
}

// command runs one command on a connection of its own and returns the first line of the
// answer. A client library would bring retries and a pool, which get in the way of asking
// whether a server is up.
func (p peer) command(ctx context.Context, args ...string) (string, error) {
	var conn net.Conn
	var err error
	dialer := &net.Dialer{Timeout: commandTimeout}
	if p.tls == nil {
		conn, err = dialer.DialContext(ctx, "tcp", p.addr)
	} else {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: p.tls}).DialContext(ctx, "tcp", p.addr)
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // the answer is what counts
	deadline := time.Now().Add(commandTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	answers := bufio.NewReader(conn)
	if p.password != "" {
		if _, err := exchange(conn, answers, "AUTH", p.password); err != nil {
			return "", fmt.Errorf("authenticating: %w", err)
		}
	}
	return exchange(conn, answers, args...)
}

func exchange(w io.Writer, r *bufio.Reader, args ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return "", err
	}
	line, err := r.ReadString('\n')
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "", errClosed
	case err != nil:
		return "", err
	}
	line = strings.TrimSpace(line)
	if text, bad := strings.CutPrefix(line, "-"); bad {
		return "", serverError(text)
	}
	return line, nil
}
