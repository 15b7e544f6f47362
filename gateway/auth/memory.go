package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"k8s.io/apimachinery/pkg/util/cache"
)

const (
	// rememberedMessages bounds what one process remembers by itself.
	rememberedMessages = 1 << 16
	// releaseWithin bounds the wait for Redis where a request's own time may be over.
	releaseWithin = time.Second
)

// memory knows which messages were used: in Redis, which all replicas share, and in the
// process. With alone, the process does by itself while Redis cannot be reached: then each
// replica can be shown a message once.
type memory struct {
	redis  redis.Cmdable
	prefix string
	alone  bool
	log    *slog.Logger
	// keep is how long a message can be within the tolerance, whatever its time.
	keep time.Duration

	mu  sync.Mutex
	own *cache.LRUExpireCache
}

func newMemory(o Options) *memory {
	return &memory{redis: o.Redis, prefix: o.Prefix, alone: o.Alone, log: o.Log, keep: 2 * o.Config.HMAC.Tolerance,
		own: cache.NewLRUExpireCacheWithClock(rememberedMessages, o.Clock)}
}

// name is a message's key. Its length is bounded, and nothing that a sender writes is in it.
func (m *memory) name(message string) string {
	sum := sha256.Sum256([]byte(message))
	return m.prefix + "signature:" + hex.EncodeToString(sum[:16])
}

// claim reports whether a message is new, and remembers it.
func (m *memory) claim(ctx context.Context, message string) (bool, error) {
	name := m.name(message)
	m.mu.Lock()
	_, known := m.own.Get(name)
	m.own.Add(name, true, m.keep)
	m.mu.Unlock()
	if known {
		return false, nil
	}
	fresh, err := m.first(ctx, name)
	if err != nil && m.alone {
		return true, nil
	}
	if err != nil {
		m.own.Remove(name)
	}
	return fresh, err
}

// first reports whether nobody had set a key before. A SET that took effect and whose reply
// was lost is sent again by the client, and finds itself there: so it says who it is.
func (m *memory) first(ctx context.Context, name string) (bool, error) {
	me := rand.Text()
	fresh, err := m.redis.SetNX(ctx, name, me, m.keep).Result()
	if err != nil || fresh {
		return fresh, err
	}
	who, err := m.redis.Get(ctx, name).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil // it ended at this moment
	}
	return who == me, err
}

// release forgets a message. Where Redis cannot be told, the message is refused there until
// its time is over, and one that is signed anew is not.
func (m *memory) release(ctx context.Context, message string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
	defer cancel()
	name := m.name(message)
	m.own.Remove(name)
	if err := m.redis.Del(ctx, name).Err(); err != nil {
		m.log.WarnContext(ctx, "a message that was not acknowledged stays marked as used", "error", err)
	}
}
