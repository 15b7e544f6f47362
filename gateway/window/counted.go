package window

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Ref names an incident's record, or with Storm a storm's sums.
type Ref struct {
	Tag, Fingerprint, UID, Storm string
}

// Counted reads the counters of records without touching them. A record that is not there,
// belongs to another object or makes no sense has counted nothing.
func (w *Windows) Counted(ctx context.Context, refs []Ref) ([]Counts, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	pipe := w.redis.Pipeline()
	replies := make([]*redis.SliceCmd, len(refs))
	for i, r := range refs {
		key := w.base(r.Tag) + "i:" + r.Fingerprint
		if r.Storm != "" {
			key = w.base(r.Tag) + "t:" + r.Storm
		}
		replies[i] = pipe.HMGet(ctx, key, "uid", "occ", "del", "last", "res", "new", "members", "ren")
	}
	if _, err := pipe.Exec(ctx); err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, fmt.Errorf("reading %d counters: %w", len(refs), err)
	}
	out := make([]Counts, len(refs))
	for i, reply := range replies {
		v := reply.Val()
		if len(v) != 8 || refs[i].Storm == "" && v[0] != refs[i].UID {
			continue
		}
		out[i] = Counts{Occurrences: number(v[1]), Deliveries: number(v[2]), LastSeen: number(v[3]), ResolvedAt: number(v[4]),
			Newest: number(v[5]), StormMembers: number(v[6]), Renotifications: number(v[7])}
	}
	return out, nil
}

func number(v any) int64 {
	text, _ := v.(string)
	n, _ := strconv.ParseInt(text, 10, 64) // what is no number is no count
	return n
}

// Time is the reverse of how times stand in Counts: zero for 0.
func Time(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
