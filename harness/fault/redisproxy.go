package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// RedisProxy is a TCP proxy in front of a Redis server.
type RedisProxy struct {
	upstream string
	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex
	faults []*armed
	links  map[*link]bool
	closed bool
}

// link is one client's connection and its twin to the server.
type link struct {
	client, server net.Conn
	mu             sync.Mutex
	// lose is the fault that takes the next reply, nil for none.
	lose *armed
}

// NewRedisProxy listens on loopback and passes everything to upstream (host:port).
func NewRedisProxy(ctx context.Context, upstream string) (*RedisProxy, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the redis proxy: %w", err)
	}
	p := &RedisProxy{upstream: upstream, listener: l, links: map[*link]bool{}}
	p.done.Go(p.accept)
	return p, nil
}

// Addr is where clients connect.
func (p *RedisProxy) Addr() string { return p.listener.Addr().String() }

// Close ends every connection and returns when nothing of the proxy runs any more.
func (p *RedisProxy) Close(context.Context) error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	faults, links := slices.Clone(p.faults), keysOf(p.links)
	p.mu.Unlock()
	var err error
	if first {
		err = p.listener.Close()
	}
	for _, f := range faults {
		err = errors.Join(err, f.Remove(context.Background()))
	}
	for _, l := range links {
		l.close()
	}
	p.done.Wait()
	return err
}

func keysOf(m map[*link]bool) []*link {
	out := make([]*link, 0, len(m))
	for l := range m {
		out = append(out, l)
	}
	return out
}

// Arm injects a fault.
func (p *RedisProxy) Arm(_ context.Context, s Spec) (Handle, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	if s.Target != Redis {
		return nil, &SpecError{"target", "this proxy stands in front of Redis", "write redis"}
	}
	f := newArmed(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	f.detach = func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.faults = slices.DeleteFunc(p.faults, func(x *armed) bool { return x == f })
	}
	p.faults = append(p.faults, f)
	if s.Kind == Cut {
		for l := range p.links {
			if f.hit() {
				l.close()
			}
		}
	}
	return f, nil
}

// standing lists the armed faults of these kinds, oldest first.
func (p *RedisProxy) standing(kinds ...string) []*armed {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*armed
	for _, f := range p.faults {
		if slices.Contains(kinds, f.spec.Kind) {
			out = append(out, f)
		}
	}
	return out
}

func (p *RedisProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		if p.refuses() {
			reset(client)
			continue
		}
		p.done.Go(func() { p.serve(client) })
	}
}

func (p *RedisProxy) refuses() bool {
	for _, f := range p.standing(Cut) {
		if f.hit() {
			return true
		}
	}
	return false
}

// reset ends a connection at once. What it loses is lost on purpose.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (l *link) close() {
	reset(l.client)
	reset(l.server)
}

// serve joins a client to the server until one of them ends.
func (p *RedisProxy) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.upstream, 5*time.Second)
	if err != nil {
		reset(client) // the server is down: the client sees what it would see without us
		return
	}
	l := &link{client: client, server: server}
	p.mu.Lock()
	p.links[l] = true
	if p.closed {
		l.close()
	}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.up(l); l.close() })
	both.Go(func() { p.down(l); l.close() })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// up carries requests.
func (p *RedisProxy) up(l *link) {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buf)
		if n > 0 && !p.request(l, buf[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// request applies the faults to one read of the client's bytes, and passes it on. It
// returns false when the connection is over.
func (p *RedisProxy) request(l *link, data []byte) bool {
	for _, f := range p.standing(Hang, Latency, ReplyLost, Bandwidth, Cut) {
		if !f.spec.Match.command(data) {
			continue
		}
		switch f.spec.Kind {
		case Cut:
			if f.hit() {
				return false
			}
		case Hang:
			if f.hit() {
				p.hold(l, f)
				return false
			}
		case Latency:
			if f.hit() {
				data = through(&toxics.LatencyToxic{Latency: f.spec.Delay.Milliseconds()}, data, f.gone)
			}
		case Bandwidth:
			if f.hit() {
				data = through(&toxics.BandwidthToxic{Rate: f.spec.BytesPerSecond / 1000}, data, f.gone)
			}
		case ReplyLost:
			if f.reserve() {
				l.mu.Lock()
				l.lose = f
				l.mu.Unlock()
			}
		}
	}
	_, err := l.server.Write(data)
	return err == nil
}

// hold swallows what comes until the fault is removed or the client gives up.
func (p *RedisProxy) hold(l *link, f *armed) {
	gave := make(chan struct{})
	p.done.Go(func() {
		defer close(gave)
		buf := make([]byte, 4<<10)
		for {
			if _, err := l.client.Read(buf); err != nil {
				return
			}
		}
	})
	select {
	case <-f.gone:
	case <-gave:
	}
}

// down carries replies.
func (p *RedisProxy) down(l *link) {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		if n > 0 {
			l.mu.Lock()
			lose := l.lose
			l.lose = nil
			l.mu.Unlock()
			if lose != nil && lose.confirm() {
				return
			}
			data := buf[:n]
			for _, f := range p.standing(Bandwidth) {
				if f.hit() {
					data = through(&toxics.BandwidthToxic{Rate: f.spec.BytesPerSecond / 1000}, data, f.gone)
				}
			}
			if _, err := l.client.Write(data); err != nil {
				return
			}
		}
		if err != nil {
			l.mu.Lock()
			if l.lose != nil {
				l.lose.giveBack()
				l.lose = nil
			}
			l.mu.Unlock()
			return
		}
	}
}

// through runs one chunk through a toxic of Toxiproxy, until it has passed or the fault is
// removed; then the toxic lets go of what it holds.
func through(toxic toxics.Toxic, data []byte, gone <-chan struct{}) []byte {
	in, out := make(chan *stream.StreamChunk, 1), make(chan *stream.StreamChunk, 1024)
	in <- &stream.StreamChunk{Data: bytes.Clone(data), Timestamp: time.Now()}
	close(in)
	stub := toxics.NewToxicStub(in, out)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		toxic.Pipe(stub)
	}()
	select {
	case <-finished:
	case <-gone:
		select {
		case stub.Interrupt <- struct{}{}:
		case <-finished:
		}
		<-finished
		stub.Close()
	}
	var all []byte
	for chunk := range out {
		all = append(all, chunk.Data...)
	}
	return all
}

// command reports whether a command of this name begins in the data; "" matches all. A
// command's name stands in its own RESP bulk string.
func (m Match) command(data []byte) bool {
	if m.Command == "" {
		return true
	}
	name := strings.ToLower(m.Command)
	return bytes.Contains(bytes.ToLower(data), fmt.Appendf(nil, "$%d\r\n%s\r\n", len(name), name))
}
