package window

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/gateway/clock"
)

//go:embed shared.lua
var sharedSource string

//go:embed decide.lua
var decideSource string

//go:embed settle.lua
var settleSource string

// Windows decides and counts. It may be used by many goroutines at once.
type Windows struct {
	redis   redis.UniversalClient
	prefix  string
	dedup   time.Duration
	clock   clock.Clock
	corrupt func(int)
	scripts map[string]*redis.Script
	// Start, if not nil, is told of every call of a script, decide or settle: the call gets the
	// context that it returns, and the function is called with the outcome. Set it before use.
	Start func(ctx context.Context, script string) (context.Context, func(error))
}

// New returns windows whose keys begin with prefix. dedup is the deduplication window;
// corrupt, if not nil, is told how many keys of a wrong type a call replaced.
func New(client redis.UniversalClient, prefix string, dedup time.Duration, c clock.Clock, corrupt func(int)) *Windows {
	if corrupt == nil {
		corrupt = func(int) {}
	}
	return &Windows{redis: client, prefix: prefix, dedup: dedup, clock: c, corrupt: corrupt, scripts: map[string]*redis.Script{
		"decide": redis.NewScript(sharedSource + decideSource), "settle": redis.NewScript(sharedSource + settleSource)}}
}

// call is the argument of both scripts.
type call struct {
	Offset      int64      `json:"offset"`
	Window      int64      `json:"window"`
	StormWindow int64      `json:"stormWindow"`
	Threshold   int        `json:"threshold"`
	TTL         int64      `json:"ttl"`
	Count       bool       `json:"count"`
	NewStorm    string     `json:"newStorm"`
	Items       []callItem `json:"items"`
}

type callItem struct {
	Object
	Fingerprint string  `json:"fp"`
	Episodes    []int64 `json:"e"`
	ResolvedAt  int64   `json:"res"`
	Over        string  `json:"over"`
	Storm       string  `json:"storm"`
	Incarnation int     `json:"n"`
	Occurrences int64   `json:"occ"`
	Deliveries  int64   `json:"del"`
	Newest      int64   `json:"new"`
}

type reply struct {
	Corrupt   int        `json:"corrupt"`
	Counted   bool       `json:"counted"`
	Decisions []Decision `json:"d"`
	Counts    []Counts   `json:"c"`
}

// Decide says what each item is, and claims slots for new ones. requestID is unique to the
// HTTP request; newStorm is the id that a storm gets if this call opens one. With count,
// and only if every item is known and confirmed, it also counts them as Settle would and
// returns the counters; otherwise counts is nil.
func (w *Windows) Decide(ctx context.Context, g Group, requestID, newStorm string, items []Item, count bool) (decisions []Decision, counts []Counts, err error) {
	c := w.call(g, len(items))
	c.Count, c.NewStorm = count, newStorm
	for i, item := range items {
		c.Items[i] = asCall(item)
	}
	out, err := w.run(ctx, "decide", g.Tag, requestID, c)
	if err != nil {
		return nil, nil, fmt.Errorf("deciding on %d alerts: %w", len(items), err)
	}
	if !out.Counted {
		return out.Decisions, nil, nil
	}
	return out.Decisions, out.Counts, nil
}

// Settle records that the items' objects exist and counts them, once a requestID.
func (w *Windows) Settle(ctx context.Context, g Group, requestID string, items []Settled) ([]Counts, error) {
	c := w.call(g, len(items))
	for i, s := range items {
		x := asCall(s.Item)
		x.Object, x.Storm, x.Incarnation = s.Object, s.Storm, s.Incarnation
		x.Occurrences, x.Deliveries = s.Occurrences, s.Deliveries
		if !s.Newest.IsZero() {
			x.Newest = s.Newest.UnixMilli()
		}
		c.Items[i] = x
	}
	out, err := w.run(ctx, "settle", g.Tag, requestID, c)
	if err != nil {
		return nil, fmt.Errorf("counting %d alerts: %w", len(items), err)
	}
	return out.Counts, nil
}

// call holds what both scripts need. Keys outlive the windows, so that a decision, and not
// the disappearance of a key, ends an incident.
func (w *Windows) call(g Group, n int) call {
	ttl := 2*max(w.dedup, g.Window) + time.Minute
	return call{Offset: w.clock.Offset().Milliseconds(), Window: w.dedup.Milliseconds(),
		StormWindow: g.Window.Milliseconds(), Threshold: g.Threshold, TTL: ttl.Milliseconds(),
		Items: make([]callItem, n)}
}

func asCall(i Item) callItem {
	out := callItem{Fingerprint: i.Fingerprint, Over: i.Over, Episodes: []int64{}}
	for _, e := range i.Episodes {
		out.Episodes = append(out.Episodes, e.UnixMilli())
	}
	if !i.ResolvedAt.IsZero() {
		out.ResolvedAt = i.ResolvedAt.UnixMilli()
	}
	return out
}

func (w *Windows) run(ctx context.Context, script, tag, requestID string, c call) (out reply, err error) {
	if w.Start != nil {
		var done func(error)
		ctx, done = w.Start(ctx, script)
		defer func() { done(err) }()
	}
	args, err := json.Marshal(c)
	if err != nil {
		return out, fmt.Errorf("encoding script arguments: %w", err)
	}
	base := w.prefix + "{g:" + tag + "}:"
	keys := []string{base + "z", base + "s", base + "r:" + requestID}
	for _, item := range c.Items {
		keys = append(keys, base+"i:"+item.Fingerprint)
	}
	text, err := w.scripts[script].Run(ctx, w.redis, keys, args).Text()
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return out, fmt.Errorf("reading the script's reply: %w", err)
	}
	if out.Corrupt > 0 {
		w.corrupt(out.Corrupt)
	}
	return out, nil
}
