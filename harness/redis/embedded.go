package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/report"
)

// expireEvery is how exactly keys of the embedded server expire.
const expireEvery = 20 * time.Millisecond

// inside is a miniredis in this process.
type inside struct {
	mu     sync.Mutex // the end of the context may come at any time
	server *miniredis.Miniredis
	port   *process.Port
	up     bool
	done   bool

	quit chan struct{}
	wg   sync.WaitGroup
	off  func() bool
}

func startEmbedded(ctx context.Context, opt Options, reason string) (*Server, error) {
	if len(opt.Args) > 0 {
		return nil, &ErrUnavailable{What: "redis", Reason: "the embedded server takes no arguments such as " + opt.Args[0],
			Fix: installHint}
	}
	port, err := process.ReservePort()
	if err != nil {
		return nil, fmt.Errorf("starting the embedded redis: %w", err)
	}
	m := miniredis.NewMiniRedis()
	if opt.Password != "" {
		m.RequireAuth(opt.Password)
	}
	if err := m.StartAddr(port.Addr()); err != nil {
		port.Release()
		return nil, fmt.Errorf("starting the embedded redis: %w", err)
	}
	e := &inside{server: m, port: port, up: true, quit: make(chan struct{})}
	e.wg.Go(e.expire)
	e.off = context.AfterFunc(ctx, func() { _ = e.end() }) // never fails
	return &Server{Addr: port.Addr(), Password: opt.Password, Kind: Embedded, engine: e,
		Choice: report.Choice{Part: "redis", Chosen: "embedded (miniredis)", Reason: reason}}, nil
}

// expire makes keys expire as time passes, which miniredis leaves to its owner.
func (e *inside) expire() {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-e.quit:
			return
		case now := <-tick.C:
			e.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (e *inside) stop(context.Context) error {
	e.off()
	return e.end()
}

func (e *inside) end() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done {
		return nil
	}
	e.done = true
	close(e.quit)
	e.wg.Wait()
	e.close()
	e.port.Release()
	return nil
}

// close stops listening; the caller holds the lock.
func (e *inside) close() {
	if e.up {
		e.server.Close()
		e.up = false
	}
}

func (e *inside) kill() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.close()
	return nil
}

func (e *inside) restart(_ context.Context, keepData bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done {
		return fmt.Errorf("restarting the embedded redis: %w", errEnded)
	}
	e.close()
	if !keepData {
		e.server.FlushAll()
	}
	if err := e.server.Restart(); err != nil {
		return fmt.Errorf("restarting the embedded redis: %w", err)
	}
	e.up = true
	return nil
}
