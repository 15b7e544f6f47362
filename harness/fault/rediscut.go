package fault

// redisCut resets the connections that are open when it is armed, oldest first, and those
// that clients open afterwards, before the server sees them.
type redisCut struct{ plainRedisFault }

func (f *redisCut) connect() bool { return f.hit() }
