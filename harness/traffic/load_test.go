package traffic_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/traffic"
)

// numbered makes requests with one alert each.
func numbered() func() (traffic.Request, error) {
	n := 0
	return func() (traffic.Request, error) {
		n++
		return traffic.Request{ID: fmt.Sprint(n), Alerts: make([]history.Alert, 1)}, nil
	}
}

// server answers after a time that depends on when it is asked.
type server struct {
	begin time.Time
	takes time.Duration
	// from and to are a span, from begin, in which everything waits until its end.
	from, to time.Duration
	// now and most are how many requests are and were at most in flight.
	now, most atomic.Int64
}

func (s *server) send(ctx context.Context, r traffic.Request) ([]traffic.Response, error) {
	now := s.now.Add(1)
	defer s.now.Add(-1)
	for {
		most := s.most.Load()
		if now <= most || s.most.CompareAndSwap(most, now) {
			break
		}
	}
	due := time.Now().Add(s.takes)
	if at := time.Since(s.begin); at >= s.from && at < s.to {
		due = s.begin.Add(s.to).Add(s.takes)
	}
	resp := traffic.Response{Answer: history.Answer{ID: r.ID, Status: 201, Verdicts: []history.Verdict{{Verdict: "created"}}}}
	if err := (traffic.Wall{}).Until(ctx, due); err != nil {
		resp.Answer = history.Answer{ID: r.ID, Error: err.Error()}
	}
	return []traffic.Response{resp}, nil
}

func load(t *testing.T, s *server, a traffic.Arrival) traffic.Result {
	t.Helper()
	s.begin = time.Now()
	res, err := traffic.Load{Arrival: a, Next: numbered(), Send: s.send}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if res.Planned != res.Sent+res.Dropped {
		t.Errorf("planned %d, sent %d, dropped %d do not add up", res.Planned, res.Sent, res.Dropped)
	}
	return res
}

// The classic demonstration of coordinated omission: the server stops for 2 s in 10. A
// closed loop sends nothing meanwhile and so sees one slow request in thousands; an open
// loop sees every request that should have been sent.
func TestAStallShowsInAnOpenLoopAndHidesInAClosedOne(t *testing.T) {
	stall := func() *server {
		return &server{takes: time.Millisecond, from: 4 * time.Second, to: 6 * time.Second}
	}
	synctest.Test(t, func(t *testing.T) {
		open := load(t, stall(), traffic.Arrival{Rate: 100, For: 10 * time.Second, Connections: 8})
		if got := open.Latency.At(99); got < 1800*time.Millisecond {
			t.Errorf("open loop: p99 is %s, must show the stall of 2 s", got)
		}
		// A fifth was due in the stall, evenly: half of that fifth waited for 1 s or more.
		if got := open.Latency.At(90); got < 950*time.Millisecond || got > 1100*time.Millisecond {
			t.Errorf("open loop: p90 is %s, want about 1 s", got)
		}
		if got := open.Latency.At(50); got > 2*time.Millisecond {
			t.Errorf("open loop: p50 is %s, want 1 ms", got)
		}
		// The service time has the stall only in the 8 requests that were on their way.
		if got := open.Service.At(99); got > 2*time.Millisecond {
			t.Errorf("open loop: p99 of the service time is %s, want 1 ms", got)
		}
		// 200 were due in the stall and 8 of them left in time; a few right after it had to
		// wait for the rest.
		if open.Sent != 1000 || open.Dropped != 0 || open.Late < 190 || open.Late > 196 {
			t.Errorf("open loop: sent %d, dropped %d, late %d", open.Sent, open.Dropped, open.Late)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		closed := load(t, stall(), traffic.Arrival{For: 10 * time.Second})
		if got := closed.Latency.At(99); got > 2*time.Millisecond {
			t.Errorf("closed loop: p99 is %s, want 1 ms: the stall hides there", got)
		}
		if got := closed.Latency.At(100); got < 1999*time.Millisecond {
			t.Errorf("closed loop: the slowest is %s, want 2 s", got)
		}
	})
}

func TestWhatCannotBeSentInTimeIsDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{takes: time.Second}
		// 2 connections do 2 a second; 100 are asked for in 1 s, and 4 s of grace.
		res := load(t, s, traffic.Arrival{Rate: 100, Count: 100, Connections: 2, Grace: 4 * time.Second})
		if res.Sent != 10 || res.Dropped != 90 || res.Late != 8 {
			t.Errorf("sent %d, dropped %d, late %d; want 10, 90, 8", res.Sent, res.Dropped, res.Late)
		}
		if s.most.Load() != 2 {
			t.Errorf("%d in flight, bound is 2", s.most.Load())
		}
	})
}

func TestAClosedLoopKeepsItsWorkersBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{takes: 100 * time.Millisecond}
		res := load(t, s, traffic.Arrival{Connections: 4, Count: 40})
		if res.Elapsed != time.Second || res.Sent != 40 || res.Late != 0 || s.most.Load() != 4 {
			t.Errorf("sent %d in %s, late %d, %d at once; want 40 in 1s, 0, 4", res.Sent, res.Elapsed, res.Late, s.most.Load())
		}
		if diff := cmp.Diff(map[string]int{"201": 40}, res.Answers); diff != "" {
			t.Error(diff)
		}
		if res.Verdicts["created"] != 40 || res.Alerts != 40 || res.AlertsPerSecond() != 40 {
			t.Errorf("verdicts %v, %d alerts, %v a second", res.Verdicts, res.Alerts, res.AlertsPerSecond())
		}
	})
}

func TestAClosedLoopEndsAtItsDurationAndCountsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := load(t, &server{takes: 300 * time.Millisecond}, traffic.Arrival{Count: 100, For: time.Second})
		if res.Sent != 4 || res.Dropped != 96 || res.Elapsed != 1200*time.Millisecond {
			t.Errorf("sent %d, dropped %d in %s; want 4, 96 in 1.2s", res.Sent, res.Dropped, res.Elapsed)
		}
		res = load(t, &server{takes: 300 * time.Millisecond}, traffic.Arrival{For: time.Second})
		if res.Planned != 4 || res.Dropped != 0 {
			t.Errorf("without a count: planned %d, dropped %d; want 4, 0", res.Planned, res.Dropped)
		}
	})
}

func TestARequestThatHangsEndsAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res := load(t, &server{takes: 24 * time.Hour}, traffic.Arrival{Count: 2, Timeout: 5 * time.Second})
		if res.Answers["none"] != 2 || res.Unacked != 2 || res.Elapsed != 10*time.Second {
			t.Errorf("answers %v in %s, want 2 none in 10s", res.Answers, res.Elapsed)
		}
	})
}

func TestCancellingEndsALoadAndKeepsWhatWasMeasured(t *testing.T) {
	for name, a := range map[string]traffic.Arrival{
		"open":   {Rate: 10, For: time.Minute},
		"closed": {Connections: 3, For: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2050*time.Millisecond)
				defer cancel()
				s := &server{takes: 100 * time.Millisecond, begin: time.Now()}
				begin := time.Now()
				res, err := traffic.Load{Arrival: a, Next: numbered(), Send: s.send}.Run(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 2050*time.Millisecond {
					t.Errorf("error %v after %s", err, time.Since(begin))
				}
				if res.Sent < 20 {
					t.Errorf("only %d sent in the result", res.Sent)
				}
			})
		})
	}
}

func TestAFaultOfTheHarnessEndsTheLoad(t *testing.T) {
	broken := errors.New("disk full")
	fails := func(context.Context, traffic.Request) ([]traffic.Response, error) { return nil, broken }
	_, err := traffic.Load{Arrival: traffic.Arrival{Count: 50, Connections: 8}, Next: numbered(), Send: fails}.Run(t.Context())
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	nothing := func() (traffic.Request, error) { return traffic.Request{}, broken }
	s := &server{}
	_, err = traffic.Load{Arrival: traffic.Arrival{Count: 1}, Next: nothing, Send: s.send}.Run(t.Context())
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestEveryResponseOfARetriedRequestIsSeen(t *testing.T) {
	twice := func(context.Context, traffic.Request) ([]traffic.Response, error) {
		return []traffic.Response{{Answer: history.Answer{Status: 503}}, {Answer: history.Answer{Status: 202}}}, nil
	}
	var seen atomic.Int64
	res, err := traffic.Load{Arrival: traffic.Arrival{Count: 3, Connections: 2}, Next: numbered(), Send: twice,
		Seen: func(traffic.Response) { seen.Add(1) }}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"503": 3, "202": 3}, res.Answers); diff != "" || seen.Load() != 6 || res.Sent != 3 || res.Unacked != 0 {
		t.Errorf("%s seen %d, sent %d", diff, seen.Load(), res.Sent)
	}
}

func TestScheduleIsBoundedAndRepeatable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := traffic.Arrival{Rate: rapid.Float64Range(0.5, 5000).Draw(t, "rate"), Poisson: rapid.Bool().Draw(t, "poisson"),
			Count: rapid.IntRange(1, 500).Draw(t, "count"), For: time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond,
			Seed: rapid.Uint64().Draw(t, "seed")}
		got := a.Schedule()
		if len(got) == 0 || len(got) > a.Count || got[0] != 0 {
			t.Fatalf("%d requests of %d, the first at %v", len(got), a.Count, got)
		}
		for i, d := range got {
			if d >= a.For || i > 0 && d < got[i-1] {
				t.Fatalf("request %d at %s, after %v, bound %s", i, d, got[:i], a.For)
			}
		}
		if diff := cmp.Diff(got, a.Schedule()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPoissonHasTheRateAskedFor(t *testing.T) {
	got := traffic.Arrival{Rate: 1000, Poisson: true, For: 10 * time.Second, Seed: 4}.Schedule()
	// 10000 +- 3 standard deviations.
	if len(got) < 9700 || len(got) > 10300 {
		t.Errorf("%d arrivals in 10 s at 1000/s", len(got))
	}
	short := 0
	for i := 1; i < len(got); i++ {
		if got[i]-got[i-1] < time.Millisecond {
			short++
		}
	}
	// 1 - 1/e of the gaps of a Poisson process are shorter than their mean.
	if share := float64(short) / float64(len(got)-1); share < 0.61 || share > 0.66 {
		t.Errorf("%.3f of the gaps are shorter than the mean, want 0.632", share)
	}
	even := traffic.Arrival{Rate: 3, Count: 301}.Schedule()
	if even[300] != 100*time.Second {
		t.Errorf("request 301 at 3/s is due at %s, want 100s", even[300])
	}
}

func TestABadArrivalIsRefused(t *testing.T) {
	for name, a := range map[string]traffic.Arrival{
		"no end":           {Rate: 10},
		"negative":         {Count: -1},
		"too many":         {Count: 6_000_000},
		"too long":         {For: 2 * time.Hour},
		"rate by duration": {Rate: 1e6, For: time.Hour},
		"poisson closed":   {Poisson: true, Count: 1},
		"too wide":         {Count: 1, Connections: 5000},
		"negative timeout": {Count: 1, Timeout: -1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{}
			if _, err := (traffic.Load{Arrival: a, Next: numbered(), Send: s.send}).Run(t.Context()); err == nil {
				t.Error("it was taken")
			}
		})
	}
}
