package play

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stormproof/stormproof/harness/internal/diff"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/traffic"
)

// alertmanagerPath is where webhooks go unless a step says otherwise.
const alertmanagerPath = "/api/v1/alerts/alertmanager"

const (
	// retryFor bounds one request, all repeats included, of a send that behaves as Alertmanager.
	retryFor = 30 * time.Second
	// answerWithin bounds the wait for any one answer. What bounds the whole is the scenario's
	// timeout alone: who waits for a free connection has not begun.
	answerWithin = retryFor + 10*time.Second
)

// send carries out a send step and checks what it demands of the answers.
func (w *world) send(ctx context.Context, s *scenario.Send) error {
	requests, err := w.plan(s)
	if err == nil && s.As != nil {
		err = w.show(ctx, s, requests)
	}
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, s.Connections))
	for _, r := range requests {
		group.Go(func() error { return w.sendOne(groupCtx, s, r) })
	}
	err = group.Wait()
	if err == nil {
		err = ctx.Err() // what was not sent in time was not sent
	}
	if err != nil {
		return fmt.Errorf("sending %s: %w", s.ID, err)
	}
	return w.checkAnswers(s)
}

func (w *world) sendOne(ctx context.Context, s *scenario.Send, r traffic.Request) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	c, err := w.client(s.Replica)
	if err == nil {
		c.HTTP, err = w.senderOf(s)
	}
	if err != nil {
		return err
	}
	if s.As != nil {
		c.Token = "" // who he is, the request says itself
	}
	var responses []traffic.Response
	if s.Retry {
		retrier := traffic.Retrier{Client: c, Backoff: traffic.Quick, GroupInterval: retryFor}
		responses, err = retrier.Send(ctx, r)
	} else {
		var one traffic.Response
		one, err = c.Send(ctx, r)
		responses = []traffic.Response{one}
	}
	for _, resp := range responses {
		w.answers.add(s.ID, viewOf(resp))
	}
	return err
}

// viewOf reduces a response to what expressions read.
func viewOf(r traffic.Response) answer {
	a := answer{status: r.Status, certificate: r.Certificate, latency: r.Latency, problem: r.Problem, verdicts: map[string]int{}, headers: map[string]any{}}
	for _, v := range r.Verdicts {
		a.verdicts[v.Verdict]++
	}
	for name := range r.Header {
		a.headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	if json.Unmarshal(r.Body, &a.body) != nil {
		a.body = string(r.Body)
	}
	return a
}

// checkAnswers compares all answers that the step has had so far with what it demands.
func (w *world) checkAnswers(s *scenario.Send) error {
	w.answers.mu.Lock()
	list := append([]answer{}, w.answers.byID[s.ID]...)
	w.answers.mu.Unlock()
	statuses, verdicts := tally(list)
	if s.Answers != nil {
		if f := countsMismatch(fmt.Sprintf("answers of %q by status", s.ID), s.Answers, statuses); f != nil {
			f.notes = firstProblem(list)
			return f
		}
	}
	if s.Verdicts != nil {
		if f := countsMismatch(fmt.Sprintf("verdicts of %q", s.ID), s.Verdicts, verdicts); f != nil {
			f.notes = firstProblem(list)
			return f
		}
	}
	for _, a := range list {
		if s.Problem != "" && a.status >= http.StatusBadRequest && !strings.HasSuffix(a.problem, ":"+s.Problem) {
			return failf("problem type of %q: expected one that ends in %q, got %q", s.ID, s.Problem, a.problem)
		}
		if s.AnswersWithin > 0 && a.latency > s.AnswersWithin.D() {
			return failf("slowest answer of %q took %s, bound is %s", s.ID, a.latency.Round(time.Millisecond), s.AnswersWithin.D())
		}
	}
	return nil
}

// firstProblem shows the first refused answer, for a failure's reader.
func firstProblem(list []answer) []string {
	for _, a := range list {
		if a.status == 0 || a.status >= http.StatusBadRequest {
			b, err := json.Marshal(a.body)
			if err != nil {
				return nil
			}
			return []string{fmt.Sprintf("first refused answer: %d %s", a.status, diff.Cut(string(b), 1000))}
		}
	}
	return nil
}
