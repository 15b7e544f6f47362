package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
)

// RedisProxy passes connections to a Redis server through, and breaks them as its faults
// say. It owns its goroutines: Close returns when the last has ended.
type RedisProxy struct {
	upstream string
	listener net.Listener
	lifetime context.Context // of the connections; stop ends it
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	faults []redisFault
	// conns are the open connections, oldest first.
	conns  []*redisConn
	closed bool
	// doors are the replicas' own listeners, at host.
	doors map[int]net.Listener
	host  string
}

// errClosed is a mistake of the harness: its proxies outlive all that uses them.
var errClosed = errors.New("the fault proxy was closed already")

// NewRedisProxy listens on a free loopback port in front of the server at upstream
// (host:port). The server need not be up. The context bounds the start alone: the proxy
// works until Close.
func NewRedisProxy(ctx context.Context, upstream string) (*RedisProxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return nil, fmt.Errorf("listening for the Redis proxy on loopback: %w", err)
	}
	lifetime, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &RedisProxy{upstream: upstream, listener: listener, lifetime: lifetime, stop: stop, doors: map[int]net.Listener{}, host: loopback}
	p.running.Go(func() { p.accept(listener, 0) })
	return p, nil
}

// Addr is where clients connect, as 127.0.0.1:port. It stays the same until Close.
func (p *RedisProxy) Addr() string { return p.listener.Addr().String() }

// Arm injects a fault. Faults that stand together meet a request in the order of arming.
func (p *RedisProxy) Arm(_ context.Context, spec Spec) (Handle, error) {
	if err := Validate(spec); err != nil {
		return nil, err
	}
	if spec.Target != Redis {
		return nil, &SpecError{"target", "this proxy stands in front of Redis", "write redis"}
	}
	kind := KindOf(spec)
	if kind.conn == nil {
		return nil, &UnavailableError{spec.ID, "the server's own faults need more than a proxy", "arm it at a Site"}
	}
	a := newArmed(spec)
	p.attach(a, kind.conn(a))
	return a, nil
}

// attach has a fault meet the connections that are open, and those to come.
func (p *RedisProxy) attach(a *armed, f redisFault) {
	a.detach = func() { p.detach(f) }
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
	for _, c := range p.conns {
		if f.through(c.door) && f.connect() {
			c.reset()
		}
	}
}

// Expose has the doors that are opened from now on listen at an address of this machine that
// others can reach. Redis is as open to them as it is to the proxy.
func (p *RedisProxy) Expose(host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.host = host
}

// Door is the address of a replica of its own, from 1: faults with that replica hit what
// comes in there and nothing else. The same replica always gets the same address.
func (p *RedisProxy) Door(ctx context.Context, replica int) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.doors[replica]; ok {
		return l.Addr().String(), nil
	}
	if p.closed {
		return "", errClosed
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(p.host, "0"))
	if err != nil {
		return "", fmt.Errorf("listening for replica %d's way to Redis: %w", replica, err)
	}
	p.doors[replica] = l
	p.running.Go(func() { p.accept(l, replica) })
	return l.Addr().String(), nil
}

// detach forgets a removed fault.
func (p *RedisProxy) detach(f redisFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = slices.DeleteFunc(p.faults, func(x redisFault) bool { return x == f })
	f.release()
}

// Close ends every connection and waits for the proxy's goroutines; it fails when they do
// not end before the context does. A second call does nothing.
func (p *RedisProxy) Close(ctx context.Context) error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	for _, c := range p.conns {
		c.close()
	}
	doors := p.doors // nothing is added to those of a closed proxy
	p.mu.Unlock()
	if !first {
		return nil
	}
	p.stop()
	err := p.listener.Close()
	for _, l := range doors {
		err = errors.Join(err, l.Close())
	}
	if waitErr := drained(ctx, &p.running); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("waiting for the Redis proxy's connections to end: %w", waitErr))
	}
	return err
}

// reachable asks whether the server takes connections.
func (p *RedisProxy) reachable(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.upstream)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (p *RedisProxy) accept(l net.Listener, door int) {
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the client was gone before it was accepted
		}
		c := newRedisConn(client, door)
		if p.admit(c) {
			p.running.Go(func() { p.serve(c) })
		}
	}
}

// admit enters a connection into the list unless a fault, or the end of the proxy, breaks
// it. It shares Arm's lock, so a cut counts each connection once.
func (p *RedisProxy) admit(c *redisConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.close()
		return false
	}
	for _, f := range p.faults {
		if f.through(c.door) && f.connect() {
			c.reset()
			return false
		}
	}
	p.conns = append(p.conns, c)
	return true
}

func (p *RedisProxy) serve(c *redisConn) {
	defer p.forget(c)
	defer c.close()
	upstream, err := new(net.Dialer).DialContext(p.lifetime, "tcp", p.upstream)
	if err != nil || !c.attach(upstream) {
		return // the client sees its connection closed, as from a server that is gone
	}
	c.relay(func() []redisFault { return p.standing(c.door) })
}

func (p *RedisProxy) forget(c *redisConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(x *redisConn) bool { return x == c })
	for _, f := range p.faults {
		f.closed(c)
	}
}

// standing are the armed faults that are aimed at a door, in order.
func (p *RedisProxy) standing(door int) []redisFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []redisFault
	for _, f := range p.faults {
		if f.through(door) {
			out = append(out, f)
		}
	}
	return out
}

// drained waits for a group, but no longer than the context lasts.
func drained(ctx context.Context, group *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		group.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
