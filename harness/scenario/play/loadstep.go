package play

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/traffic"
)

// load carries out a load step and checks what it demands.
func (w *world) load(ctx context.Context, s *scenario.LoadStep) error {
	target, err := w.client(s.Replica)
	if err != nil {
		return err
	}
	if err := traffic.CheckTarget(ctx, target.BaseURL, w.mayLoad); err != nil {
		return err
	}
	result, err := w.runLoad(ctx, s)
	if err != nil {
		return fmt.Errorf("sending load %s: %w", s.ID, err)
	}
	w.answers.lasted(s.ID, result.Elapsed)
	if err := w.recordLoad(s, result); err != nil {
		return err
	}
	if result.Dropped > 0 {
		return failf("load %q: %d of %d requests were dropped: there was no time left to send them (%d left late); see the latencies in the report",
			s.ID, result.Dropped, result.Planned, result.Late)
	}
	if err := w.checkAnswers(&scenario.Send{ID: s.ID, Answers: s.Answers, Verdicts: s.Verdicts}); err != nil {
		return err
	}
	return withinPercentiles(s, result.Latency)
}

// mayLoad allows load to the node that the run's own cluster is on.
func (w *world) mayLoad(addr netip.Addr) bool {
	return w.inCluster() && addr.String() == w.host.Node.Address
}

func (w *world) runLoad(ctx context.Context, s *scenario.LoadStep) (traffic.Result, error) {
	path := s.Path
	if path == "" {
		path = alertmanagerPath
	}
	seed := uint64(w.host.Seed) + uint64(w.round)
	generator, err := traffic.NewGenerator(s.Profile, traffic.Input{Seed: seed, Name: s.ID, Path: path, Namespace: w.namespaces[0],
		// By the scenario's clock: after an advance the same alerts are new firings.
		Base: w.base.Add(time.Duration(w.offset.Load()))})
	if err != nil {
		return traffic.Result{}, err
	}
	arrival := s.Arrival()
	arrival.Seed, arrival.Timeout = seed, answerWithin
	return traffic.Load{Arrival: arrival, Next: generator.Next,
		Seen: func(r traffic.Response) { w.answers.add(s.ID, viewOf(r)) },
		Send: func(ctx context.Context, r traffic.Request) ([]traffic.Response, error) {
			c, err := w.client(s.Replica)
			if err != nil {
				return nil, err
			}
			if !s.Retry {
				return c.Once(ctx, r)
			}
			retrier := traffic.Retrier{Client: c, Backoff: traffic.Quick, GroupInterval: retryFor}
			return retrier.Send(ctx, r)
		}}.Run(ctx)
}

func (w *world) recordLoad(s *scenario.LoadStep, r traffic.Result) error {
	latency, err := json.Marshal(r.Latency)
	if err != nil {
		return err
	}
	return w.history.Add(history.Event{Load: &history.Load{Name: s.ID, Planned: r.Planned, Sent: r.Sent,
		Late: r.Late, Dropped: r.Dropped, Unacked: r.Unacked, Rate: s.Rate, Elapsed: r.Elapsed, Latency: latency}})
}

func withinPercentiles(s *scenario.LoadStep, l *traffic.Latencies) error {
	for _, name := range slices.Sorted(maps.Keys(s.AnswersWithin)) {
		p, err := traffic.Percentile(name)
		if err != nil {
			return err
		}
		if got, bound := l.At(p), s.AnswersWithin[name].D(); got > bound {
			return failf("latency %s of load %q is %s, bound is %s", name, s.ID, got.Round(time.Millisecond), bound)
		}
	}
	return nil
}
