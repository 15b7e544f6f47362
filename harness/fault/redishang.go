package fault

import "sync"

// redisHang turns a connection half-open from its next (matching) request on: the client
// may write for ever and hears nothing, not even that the server hung up. When the fault
// is removed the connection is closed, since the bytes swallowed are lost.
type redisHang struct {
	plainRedisFault

	mu   sync.Mutex
	hung map[*redisConn]bool
}

func (f *redisHang) request(c *redisConn, r request) action {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hung[c] {
		return action{swallow: true}
	}
	if !r.begins(f.spec.Match.Command) || !f.hit() {
		return action{}
	}
	f.hung[c] = true
	c.hung.Store(true)
	return action{swallow: true}
}

func (f *redisHang) reply(c *redisConn) action {
	f.mu.Lock()
	defer f.mu.Unlock()
	return action{swallow: f.hung[c]}
}

func (f *redisHang) closed(c *redisConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.hung, c)
}

// release closes the connections that hang.
func (f *redisHang) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.hung {
		c.close()
	}
}

func redisHangKind() Kind {
	return Kind{Target: Redis, Name: Hang, Reads: ofCommand,
		Doc: "turns a connection half-open from its next (matching) request on",
		conn: func(a *armed) redisFault {
			return &redisHang{plainRedisFault: plainRedisFault{a}, hung: map[*redisConn]bool{}}
		}}
}
