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

//go:embed free.lua
var freeSource string

// episodes is how many firings of an incident are known one by one. Those that are older
// than all of them count as counted.
const episodes = 128

// Windows decides and counts. It may be used by many goroutines at once.
type Windows struct {
	redis   redis.UniversalClient
	prefix  string
	dedup   time.Duration
	clock   clock.Clock
	corrupt func(int)
	scripts map[string]*redis.Script
	// Start, if not nil, is told of every call of a script, decide, settle or free: the call gets the
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
		"decide": redis.NewScript(sharedSource + decideSource), "settle": redis.NewScript(sharedSource + settleSource),
		"free": redis.NewScript(sharedSource + freeSource)}}
}

// call is the argument of all scripts.
type call struct {
	Offset      int64      `json:"offset"`
	At          int64      `json:"at,omitempty"`
	Window      int64      `json:"window"`
	StormWindow int64      `json:"stormWindow"`
	Threshold   int        `json:"threshold"`
	TTL         int64      `json:"ttl"`
	Count       bool       `json:"count"`
	NewStorm    string     `json:"newStorm"`
	Episodes    int        `json:"episodes"`
	Items       []callItem `json:"items"`
	Seed        *callSeed  `json:"seed,omitempty"`
}

type callItem struct {
	Object
	Fingerprint     string  `json:"fp"`
	Episodes        []int64 `json:"e"`
	ResolvedAt      int64   `json:"res"`
	Over            string  `json:"over"`
	Look            bool    `json:"look,omitempty"`
	Storm           string  `json:"storm"`
	Incarnation     int     `json:"n"`
	Occurrences     int64   `json:"occ"`
	Deliveries      int64   `json:"del"`
	Renotifications int64   `json:"ren"`
	Newest          int64   `json:"new"`
	LastSeen        int64   `json:"last"`
	Members         int64   `json:"members"`
	Since           int64   `json:"since"`
}

type reply struct {
	Corrupt   int        `json:"corrupt"`
	Counted   bool       `json:"counted"`
	Decisions []Decision `json:"d"`
	Counts    []Counts   `json:"c"`
}

// Decide says what each item is, and claims slots for new ones. With r.Count, and only if
// every item is known and confirmed, it also counts them as Settle would and returns the
// counters; otherwise counts is nil.
func (w *Windows) Decide(ctx context.Context, g Group, r Request, items []Item) (decisions []Decision, counts []Counts, err error) {
	c := w.call(g, len(items))
	c.Count, c.NewStorm, c.Seed = r.Count, r.NewStorm, asSeed(r.Seed)
	for i, item := range items {
		c.Items[i] = asCall(item)
	}
	out, err := w.run(ctx, "decide", g.Tag, r.ID, c)
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
		x.Occurrences, x.Deliveries, x.Renotifications, x.Members = s.Occurrences, s.Deliveries, s.Renotifications, s.Members
		x.Newest, x.LastSeen, x.Since = millis(s.Newest), millis(s.LastSeen), millis(s.Since)
		c.Items[i] = x
	}
	out, err := w.run(ctx, "settle", g.Tag, requestID, c)
	if err != nil {
		return nil, fmt.Errorf("counting %d alerts: %w", len(items), err)
	}
	return out.Counts, nil
}

// Free forgets what was recorded of a deleted object, if it still belongs to that object.
// Its slot of the group is not given back: the bound counts what was opened. A group whose
// storm's object is deleted stays in its storm, and the next member opens another object.
func (w *Windows) Free(ctx context.Context, g Group, f Freed) error {
	c := w.call(g, 1)
	c.NewStorm = f.NewStorm
	c.Items[0] = callItem{Object: Object{UID: f.UID}, Fingerprint: f.Fingerprint, Storm: f.Storm, Episodes: []int64{}}
	if _, err := w.run(ctx, "free", g.Tag, "free", c); err != nil {
		return fmt.Errorf("freeing the window of a deleted object: %w", err)
	}
	return nil
}

// call holds what all scripts need. Keys outlive the windows, so that a decision, and not
// the disappearance of a key, ends an incident.
func (w *Windows) call(g Group, n int) call {
	ttl := 2*max(w.dedup, g.Window) + time.Minute
	var at int64
	if still, ok := w.clock.(clock.Still); ok && still.Still() {
		at = w.clock.Now().UnixMilli()
	}
	return call{Offset: w.clock.Offset().Milliseconds(), At: at, Window: w.dedup.Milliseconds(),
		StormWindow: g.Window.Milliseconds(), Threshold: g.Threshold, TTL: ttl.Milliseconds(), Episodes: episodes,
		Items: make([]callItem, n)}
}

func asCall(i Item) callItem {
	out := callItem{Fingerprint: i.Fingerprint, Over: i.Over, Look: i.Look, Episodes: []int64{}}
	for _, e := range i.Episodes {
		out.Episodes = append(out.Episodes, e.UnixMilli())
	}
	out.ResolvedAt = millis(i.ResolvedAt)
	return out
}

// millis is 0 for no time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// base begins the keys of a group.
func (w *Windows) base(tag string) string { return w.prefix + "{g:" + tag + "}:" }

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
	base := w.base(tag)
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
