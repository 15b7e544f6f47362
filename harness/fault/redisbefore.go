package fault

import (
	"context"
	"sync"
)

// redisBefore does something at the server before it sees a (matching) request. Other
// connections go on meanwhile, so their requests may fall between the two.
type redisBefore struct {
	plainRedisFault
	command string
	// do reports whether it changed anything: what did not is no hit and leaves the count.
	do func(ctx context.Context) (bool, error)

	mu  sync.Mutex
	err error
}

func (f *redisBefore) request(_ *redisConn, r request) action {
	if !r.begins(f.command) || !f.reserve() {
		return action{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	changed, err := f.do(ctx)
	if changed {
		f.confirm()
	} else {
		f.giveBack()
	}
	if err != nil {
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
	}
	return action{}
}

// failed is the last thing that went wrong.
func (f *redisBefore) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
