package fault

import (
	"net"
	"sync"
	"sync/atomic"
)

// redisConn is one client's connection and the one to the server that belongs to it.
type redisConn struct {
	client net.Conn
	// door is the replica whose connection it is, 0 for nobody's in particular.
	door int
	// gone is closed with the connection.
	gone chan struct{}
	// hung keeps the client's side open when the server hangs up.
	hung atomic.Bool

	mu       sync.Mutex
	upstream net.Conn
	over     bool
}

func newRedisConn(client net.Conn, door int) *redisConn {
	return &redisConn{client: client, door: door, gone: make(chan struct{})}
}

// attach takes the connection to the server, and closes it when the client's was closed
// meanwhile.
func (c *redisConn) attach(upstream net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		_ = upstream.Close() // nothing was sent on it
		return false
	}
	c.upstream = upstream
	return true
}

// close ends both sides in an orderly way; it may be called again.
func (c *redisConn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	close(c.gone)
	_ = c.client.Close() // it is given up; there is nobody to tell
	if c.upstream != nil {
		_ = c.upstream.Close()
	}
}

// reset ends both sides; the client sees its connection reset, not ended.
func (c *redisConn) reset() {
	if tcp, ok := c.client.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // on an error the client sees an orderly end instead
	}
	c.close()
}

// relay copies both ways until a side ends. The faults are asked anew for each read, so an
// armed fault acts on open connections at once.
func (c *redisConn) relay(faults func() []redisFault) {
	var replies sync.WaitGroup
	replies.Go(func() {
		c.pump(c.upstream, c.client, func([]byte) []action {
			return collect(faults(), func(f redisFault) action { return f.reply(c) })
		})
		if c.hung.Load() {
			<-c.gone
		}
		c.close()
	})
	var commands commandReader
	c.pump(c.client, c.upstream, func(data []byte) []action {
		r := request{commands: commands.read(data)}
		return collect(faults(), func(f redisFault) action { return f.request(c, r) })
	})
	c.close()
	replies.Wait()
}

// collect asks the faults in turn, up to the first that keeps the bytes from passing.
func collect(faults []redisFault, ask func(redisFault) action) []action {
	var actions []action
	for _, f := range faults {
		a := ask(f)
		actions = append(actions, a)
		if a.swallow || a.hangUp {
			break
		}
	}
	return actions
}

// pump copies from src to dst as decided for each read, until either breaks.
func (c *redisConn) pump(src, dst net.Conn, decide func(data []byte) []action) {
	buffer := make([]byte, 64<<10)
	for {
		n, readErr := src.Read(buffer)
		if n > 0 && !c.carry(dst, buffer[:n], decide(buffer[:n])) {
			return
		}
		if readErr != nil {
			return
		}
	}
}

// carry does what was decided with one read, and reports whether the connection goes on.
func (c *redisConn) carry(dst net.Conn, data []byte, actions []action) bool {
	var slow []slowdown
	for _, a := range actions {
		switch {
		case a.hangUp:
			return false
		case a.swallow:
			return true
		case a.slow != nil:
			slow = append(slow, *a.slow)
		}
	}
	return send(dst, data, c.gone, slow...) == nil
}
