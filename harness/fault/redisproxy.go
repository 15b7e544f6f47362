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
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	faults []redisFault
	// conns are the open connections, oldest first.
	conns  []*redisConn
	closed bool
}

// NewRedisProxy listens on a free loopback port in front of the server at upstream
// (host:port). The server need not be up. The context bounds the start alone: the proxy
// works until Close.
func NewRedisProxy(ctx context.Context, upstream string) (*RedisProxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the Redis proxy on loopback: %w", err)
	}
	lifetime, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &RedisProxy{upstream: upstream, listener: listener, stop: stop}
	p.running.Go(func() { p.accept(lifetime) })
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
	a := newArmed(spec)
	f := newRedisFault(a)
	a.detach = func() { p.detach(f) }
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
	for _, c := range p.conns {
		if f.connect() {
			c.reset()
		}
	}
	return a, nil
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
	p.mu.Unlock()
	if !first {
		return nil
	}
	p.stop()
	err := p.listener.Close()
	if waitErr := wait(ctx, &p.running); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("waiting for the Redis proxy's connections to end: %w", waitErr))
	}
	return err
}

func (p *RedisProxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the client was gone before it was accepted
		}
		c := newRedisConn(client)
		if p.admit(c) {
			p.running.Go(func() { p.serve(ctx, c) })
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
		if f.connect() {
			c.reset()
			return false
		}
	}
	p.conns = append(p.conns, c)
	return true
}

func (p *RedisProxy) serve(ctx context.Context, c *redisConn) {
	defer p.forget(c)
	defer c.close()
	upstream, err := new(net.Dialer).DialContext(ctx, "tcp", p.upstream)
	if err != nil || !c.attach(upstream) {
		return // the client sees its connection closed, as from a server that is gone
	}
	c.relay(p.standing)
}

func (p *RedisProxy) forget(c *redisConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(x *redisConn) bool { return x == c })
	for _, f := range p.faults {
		f.closed(c)
	}
}

// standing is a copy of the armed faults, in order.
func (p *RedisProxy) standing() []redisFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.faults)
}

// wait waits for a group, but no longer than the context lasts.
func wait(ctx context.Context, group *sync.WaitGroup) error {
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
