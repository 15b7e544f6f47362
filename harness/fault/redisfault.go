package fault

// redisFault is one armed fault as connections meet it.
type redisFault interface {
	// through reports whether the fault is aimed at connections that came in by this door.
	through(door int) bool
	// connect sees a connection that is open when the fault is armed, or opened later, and
	// reports whether to break it. The proxy calls it once for each connection.
	connect() bool
	// request and reply decide what happens to the bytes just read.
	request(c *redisConn, r request) action
	reply(c *redisConn) action
	// closed hears that a connection has ended.
	closed(c *redisConn)
	// release hears that the fault was removed.
	release()
}

// action is what happens to bytes: the zero value passes them on.
type action struct {
	// swallow drops them and says nothing.
	swallow bool
	// hangUp drops them and closes the connection.
	hangUp bool
	// slow passes them on slowly.
	slow *slowdown
}

// plainRedisFault lets everything pass; each kind changes what it is about.
type plainRedisFault struct{ *armed }

func (f plainRedisFault) through(door int) bool            { return f.spec.Replica == 0 || f.spec.Replica == door }
func (plainRedisFault) connect() bool                      { return false }
func (plainRedisFault) request(*redisConn, request) action { return action{} }
func (plainRedisFault) reply(*redisConn) action            { return action{} }
func (plainRedisFault) closed(*redisConn)                  {}
func (plainRedisFault) release()                           {}
