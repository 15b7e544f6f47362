package fault

// redisCut resets the connections that are open when it is armed, oldest first, and those
// that clients open afterwards, before the server sees them.
type redisCut struct{ plainRedisFault }

func (f *redisCut) connect() bool { return f.hit() }

func redisCutKind() Kind {
	return Kind{Target: Redis, Name: Cut, Reads: ofReplica,
		Doc:  "resets connections: those that are open, and new ones before the server sees them",
		conn: func(a *armed) redisFault { return &redisCut{plainRedisFault{a}} }}
}
