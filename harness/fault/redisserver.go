package fault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// countTimeout bounds the reading of a receipt at the server.
const countTimeout = 2 * time.Second

// serverFault is a fault of the Redis server itself. What it applied is what the server
// counted since: its receipt never rests on what we believe to have done.
type serverFault struct {
	*armed
	// conn was opened before the fault, which may keep new ones out.
	conn *redis.Conn
	// stat is a line of INFO that counts hits, for example "errorstat_OOM".
	stat string
	base int64
	// most says that what was done is counted here too, and bounds the server's count.
	most bool
	undo func(ctx context.Context) error

	mu   sync.Mutex
	last int64
	over bool
}

// atServer opens a connection and reads where the server's count stands.
func atServer(ctx context.Context, s *Site, a *armed, stat string) (*serverFault, error) {
	f := &serverFault{armed: a, conn: s.Server.Conn(), stat: stat, undo: func(context.Context) error { return nil }}
	var err error
	if f.base, err = f.count(ctx); err != nil {
		_ = f.conn.Close() // the error is what counts
		return nil, fmt.Errorf("reading %s before fault %s: %w", stat, a.spec.ID, err)
	}
	return f, nil
}

// begin injects by changing the server's configuration; on an error it has undone what it did.
func (f *serverFault) begin(ctx context.Context, settings ...string) (Handle, error) {
	undo := f.undo
	for i := 0; i < len(settings); i += 2 {
		name, value := settings[i], settings[i+1]
		old, err := f.conn.ConfigGet(ctx, name).Result()
		if err == nil {
			before := undo
			undo = func(ctx context.Context) error {
				if err := f.conn.ConfigSet(ctx, name, old[name]).Err(); err != nil {
					return fmt.Errorf("setting %s back: %w", name, err)
				}
				return before(ctx)
			}
			err = f.conn.ConfigSet(ctx, name, value).Err()
		}
		if err != nil {
			err = fmt.Errorf("setting %s for fault %s: %w", name, f.spec.ID, err)
			ctx, cancel := undoing(ctx)
			defer cancel()
			return nil, errors.Join(err, undo(ctx), f.conn.Close())
		}
	}
	f.undo = undo
	return f, nil
}

// Receipt implements Handle. A server that cannot be asked keeps what it said last.
func (f *serverFault) Receipt() Receipt {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	return f.receipt(ctx)
}

func (f *serverFault) receipt(ctx context.Context) Receipt {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		if n, err := f.count(ctx); err == nil {
			f.last = max(0, n-f.base)
		}
	}
	r := f.armed.Receipt()
	if f.most { // the server also counts what would have happened by itself
		r.Applied = min(f.last, r.Applied)
		return r
	}
	r.Matched, r.Applied = f.last, f.last
	return r
}

// Remove implements Handle.
func (f *serverFault) Remove(ctx context.Context) error {
	f.mu.Lock()
	over := f.over
	f.mu.Unlock()
	if over {
		return nil
	}
	_ = f.armed.Remove(ctx) // never fails
	err := f.undo(ctx)
	f.receipt(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	_ = f.conn.Close() // it is done with
	if err != nil {
		return fmt.Errorf("undoing fault %s: %w", f.spec.ID, err)
	}
	return nil
}

func (f *serverFault) count(ctx context.Context) (int64, error) {
	return serverCount(ctx, f.conn, f.stat)
}

// serverCount reads one count of INFO; a line that is not there yet is 0.
func serverCount(ctx context.Context, c redis.Cmdable, stat string) (int64, error) {
	text, err := c.Info(ctx, "everything").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), stat+":"); ok {
			return strconv.ParseInt(strings.TrimPrefix(value, "count="), 10, 64)
		}
	}
	return 0, nil
}
