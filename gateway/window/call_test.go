package window

import (
	"testing"
	"time"

	"github.com/stormproof/stormproof/gateway/clock"
)

func TestKeysOutliveTheLongerWindowTwice(t *testing.T) {
	for name, c := range map[string]struct{ dedup, storm, ttl time.Duration }{
		"deduplication is longer": {5 * time.Minute, time.Minute, 11 * time.Minute},
		"the storm is longer":     {time.Minute, 7 * time.Minute, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := New(nil, "sp:", c.dedup, clock.Real{}, nil)
			want(t, w.call(Group{Window: c.storm}, 0).TTL, c.ttl.Milliseconds())
		})
	}
}

func TestRedisIsToldTheTimeByAClockThatStandsStillOnly(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_000)
	var runs, stands clock.Shifted
	stands.Freeze(at)
	for name, c := range map[string]struct {
		clock clock.Clock
		at    int64
	}{
		"a real clock":         {clock.Real{}, 0},
		"one that could stand": {&runs, 0},
		"one that stands":      {&stands, at.UnixMilli()},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, New(nil, "sp:", dedup, c.clock, nil).call(group, 0).At, c.at)
		})
	}
}

func TestOnlyACallThatReplacedKeysTellsOfThem(t *testing.T) {
	b := newBench(t)
	var told []int
	b.Windows.corrupt = func(n int) { told = append(told, n) }
	b.decide(firing(1, 100))
	b.server.Del("sp:{g:" + group.Tag + "}:z")
	if err := b.server.Set("sp:{g:"+group.Tag+"}:z", "no sorted set"); err != nil {
		t.Fatal(err)
	}
	b.decide(firing(1, 100))
	b.decide(firing(1, 100))
	want(t, told, []int{1})
}

func TestTimeReversesMillis(t *testing.T) {
	for ms, wanted := range map[int64]time.Time{-1: {}, 0: {}, 1: time.UnixMilli(1).UTC(), 1_700_000_000_000: time.UnixMilli(1_700_000_000_000).UTC()} {
		want(t, Time(ms), wanted)
	}
}
