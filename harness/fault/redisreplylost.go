package fault

import "sync"

// redisReplyLost lets a (matching) request reach the server, waits for the first bytes of
// the reply, drops them and closes the connection. The client cannot know whether its
// command took effect; it did.
type redisReplyLost struct {
	plainRedisFault

	mu sync.Mutex
	// waiting are the connections whose next reply is to be lost.
	waiting map[*redisConn]bool
}

func (f *redisReplyLost) request(c *redisConn, r request) action {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.waiting[c] && r.begins(f.spec.Match.Command) && f.reserve() {
		f.waiting[c] = true
	}
	return action{}
}

func (f *redisReplyLost) reply(c *redisConn) action {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.waiting[c] {
		return action{}
	}
	delete(f.waiting, c)
	return action{hangUp: f.confirm()}
}

// closed frees the reservation of a connection that ended before its reply.
func (f *redisReplyLost) closed(c *redisConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting[c] {
		delete(f.waiting, c)
		f.giveBack()
	}
}

func redisReplyLostKind() Kind {
	return Kind{Target: Redis, Name: ReplyLost, Reads: ofCommand,
		Doc: "lets the server do a (matching) request, then closes the connection without the reply",
		conn: func(a *armed) redisFault {
			return &redisReplyLost{plainRedisFault: plainRedisFault{a}, waiting: map[*redisConn]bool{}}
		}}
}
