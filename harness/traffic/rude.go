package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// tick is how often a slow sender sends.
const tick = 50 * time.Millisecond

// leaves says that no answer is to be expected of the request.
func (r Request) leaves() bool { return r.LeaveAfter > 0 || r.HeaderPace > 0 }

// exchangeAs sends a request in its own way.
func (c *Client) exchangeAs(ctx context.Context, r Request) (Response, error) {
	if r.LeaveAfter > 0 {
		var leave context.CancelFunc
		ctx, leave = context.WithTimeout(ctx, r.LeaveAfter)
		defer leave()
	}
	if r.HeaderPace > 0 {
		return Response{}, c.endlessHeader(ctx, r)
	}
	return c.exchange(ctx, r)
}

// endlessHeader begins a request and sends headers until the server cuts the connection. It
// always returns an error: there is no answer.
func (c *Client) endlessHeader(ctx context.Context, r Request) error {
	u, err := url.Parse(c.BaseURL)
	if err != nil {
		return fmt.Errorf("building request: %w", err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // it is of no use any more
	sent := make(chan struct{})
	defer func() { cancel(); <-sent }()
	go func() {
		defer close(sent)
		// Both fail when the connection is gone, which is what the reader waits for.
		_, _ = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Slow: ", r.Method, r.Path, u.Host)
		_, _ = io.Copy(conn, &paced{ctx: ctx, perSecond: r.HeaderPace, endless: true})
	}()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("sending headers that never end: %w", err)
	}
	return errors.New("sending headers that never end: the server answered nevertheless")
}

// paced gives out a body a few bytes at a time.
type paced struct {
	ctx       context.Context
	body      []byte
	perSecond int
	// endless gives letters for ever.
	endless bool
	due     float64
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	if len(p.body) == 0 && !p.endless {
		return 0, io.EOF
	}
	for p.due < 1 {
		timer := time.NewTimer(tick)
		select {
		case <-p.ctx.Done():
			timer.Stop()
			return 0, p.ctx.Err()
		case <-timer.C:
			p.due += float64(p.perSecond) * tick.Seconds()
		}
	}
	n := min(len(b), int(p.due))
	if p.endless {
		for i := range n {
			b[i] = 'x'
		}
	} else {
		n = copy(b[:n], p.body)
		p.body = p.body[n:]
	}
	p.due -= float64(n)
	return n, nil
}
