package traffic

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Sender sends one request and returns every response, the last one last; Once and
// Retrier.Send are Senders. Its error is about the harness only.
type Sender func(context.Context, Request) ([]Response, error)

// Once makes a Sender of a Client: no repeats.
func (c *Client) Once(ctx context.Context, r Request) ([]Response, error) {
	resp, err := c.Send(ctx, r)
	return []Response{resp}, err
}

// Load sends the requests of a source at the times of an arrival.
type Load struct {
	Arrival Arrival
	// Next makes the next request; it is never called twice at once. A Generator's Next.
	Next func() (Request, error)
	// Send is called by up to Arrival.Connections workers at once.
	Send Sender
	// Clock is real time when nil.
	Clock Clock
	// Seen, if not nil, is told every response; it must be safe for concurrent use.
	Seen func(Response)
}

// Result is what came of a load. Planned = Sent + Dropped.
type Result struct {
	// Planned counts the requests that the arrival asked for.
	Planned int `json:"planned"`
	// Sent counts requests that left, repeats not included; Alerts what was in them.
	Sent   int `json:"sent"`
	Alerts int `json:"alerts"`
	// Late were sent more than 10 ms after their intended time; Dropped never were, because
	// the load's time was over before a connection became free.
	Late    int `json:"late"`
	Dropped int `json:"dropped"`
	// Unacked are the sent requests whose last response was not an acknowledgement.
	Unacked int `json:"unacked"`
	// Answers counts responses, repeats included, by status; "none" when none came.
	Answers map[string]int `json:"answers"`
	// Verdicts counts alerts by what the answers said of them.
	Verdicts map[string]int `json:"verdicts"`
	// Elapsed is from the start to the last answer.
	Elapsed time.Duration `json:"elapsedNs"`
	// Latency is from the intended time to the last response: what a sender that keeps to
	// its schedule sees, free of coordinated omission. Service is from the actual sending.
	// In a closed loop they are the same, and a stall of the server hides behind the
	// requests that were not sent meanwhile.
	Latency *Latencies `json:"latency"`
	Service *Latencies `json:"service"`
}

// run is one load under way.
type run struct {
	Load
	start    time.Time
	schedule []time.Duration
	// last is when no new request leaves any more.
	last time.Time

	mu     sync.Mutex // guards what follows, and the order of Next
	next   int
	result Result
}

// Run sends the load and waits for every answer. It returns what was measured also when
// ctx ends early (with ctx's error) or the harness fails.
func (l Load) Run(ctx context.Context) (Result, error) {
	if err := l.Arrival.Validate(); err != nil {
		return Result{}, fmt.Errorf("planning the load: %w", err)
	}
	l.Arrival = l.Arrival.filled()
	if l.Clock == nil {
		l.Clock = Wall{}
	}
	r := &run{Load: l, result: Result{Answers: map[string]int{}, Verdicts: map[string]int{},
		Latency: NewLatencies(), Service: NewLatencies()}}
	planned := l.Arrival.Count
	window := l.Arrival.For
	if l.Arrival.Open() {
		r.schedule = l.Arrival.Schedule()
		planned, window = len(r.schedule), l.Arrival.Grace
		if planned > 0 {
			window += r.schedule[planned-1]
		}
	}
	r.start = l.Clock.Now()
	r.last = r.start.Add(window)
	group, groupCtx := errgroup.WithContext(ctx)
	for range min(l.Arrival.Connections, planned) {
		group.Go(func() error { return r.work(groupCtx, planned) })
	}
	err := group.Wait()
	r.result.Elapsed = l.Clock.Now().Sub(r.start)
	r.result.Planned = planned
	if !l.Arrival.Open() && planned == maxRequests {
		// Nobody asked for a number.
		r.result.Planned = r.result.Sent
	}
	r.result.Dropped = r.result.Planned - r.result.Sent
	return r.result, err
}

// work sends one request after the other until none is left or time is over.
func (r *run) work(ctx context.Context, planned int) error {
	for {
		i, request, err := r.take(planned)
		if err != nil || request == nil {
			return err
		}
		due := r.Clock.Now()
		if r.schedule != nil {
			due = r.start.Add(r.schedule[i])
		}
		if err := r.Clock.Until(ctx, due); err != nil {
			return fmt.Errorf("waiting to send %s: %w", request.ID, err)
		}
		if err := r.one(ctx, *request, due); err != nil {
			return err
		}
	}
}

// take hands out the requests in order; nil when no more leave.
func (r *run) take(planned int) (int, *Request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next >= planned || !r.Clock.Now().Before(r.last) {
		return 0, nil, nil
	}
	request, err := r.Next()
	if err != nil {
		return 0, nil, fmt.Errorf("making a request: %w", err)
	}
	i := r.next
	r.next++
	return i, &request, nil
}

func (r *run) one(ctx context.Context, request Request, due time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, r.Arrival.Timeout)
	defer cancel()
	sent := r.Clock.Now()
	responses, err := r.Send(ctx, request)
	end := r.Clock.Now()
	if err != nil {
		return fmt.Errorf("sending %s: %w", request.ID, err)
	}
	if r.Seen != nil {
		for _, resp := range responses {
			r.Seen(resp)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.add(request, responses, sent.Sub(due) > lateAfter)
	r.result.Latency.Record(end.Sub(due))
	r.result.Service.Record(end.Sub(sent))
	return nil
}

func (res *Result) add(request Request, responses []Response, late bool) {
	res.Sent++
	res.Alerts += len(request.Alerts)
	if late {
		res.Late++
	}
	if n := len(responses); n == 0 || !responses[n-1].Acked() {
		res.Unacked++
	}
	for _, resp := range responses {
		res.Answers[StatusName(resp.Status)]++
		for _, v := range resp.Verdicts {
			res.Verdicts[v.Verdict]++
		}
	}
}

// StatusName is how tallies call a status: "none" for 0.
func StatusName(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status)
}

// AlertsPerSecond is the throughput over the whole load.
func (res Result) AlertsPerSecond() float64 {
	if res.Elapsed <= 0 {
		return 0
	}
	return float64(res.Alerts) / res.Elapsed.Seconds()
}
