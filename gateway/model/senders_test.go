package model

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
)

// delivery is a batch that a sender wants acknowledged, however often it takes.
type delivery struct {
	alerts  []alert.Alert
	letters string
	// under is the attempt on its way, acked the one that was acknowledged.
	under, acked *attempt
}

// attempt is one request.
type attempt struct {
	n        int
	of       *delivery
	began    time.Time
	verdicts []intake.Verdict
}

type attemptKey struct{}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

func (w *world) alert(letter string, firing int) alert.Alert {
	begin := time.Date(1999, 12, 31, 12, 0, 0, 0, time.UTC)
	a := alert.Alert{Source: "alertmanager", Labels: map[string]string{"alertname": "Broken", "namespace": "default", "pod": letter}, StartsAt: begin.Add(time.Duration(firing) * time.Minute)}
	if letter == "f" {
		a.Labels["alertname"] = "Other"
	}
	if firing == resolved {
		a.Resolved, a.StartsAt, a.EndsAt = true, begin, begin.Add(time.Hour)
	}
	return a
}

// send begins a new delivery.
func (w *world) send(mask, firing, to int) {
	d := &delivery{}
	for i, letter := range alerts {
		if mask&(1<<i) != 0 {
			a := w.alert(letter, firing)
			a.Index = len(d.alerts)
			d.alerts = append(d.alerts, a)
			d.letters += letter
		}
	}
	if len(d.alerts) == 0 {
		return
	}
	d.letters += []string{" (1st firing)", " (2nd firing)", " (3rd firing)", " (resolved)"}[firing]
	w.deliveries = append(w.deliveries, d)
	w.request(d, w.replicas[to%2])
}

// request sends a delivery to a replica, as the server would hand it to the intake.
func (w *world) request(d *delivery, r *replica) {
	w.n++
	a := &attempt{n: w.n, of: d, began: time.Now()}
	d.under = a
	w.say("sender: request %d to %s: %s", a.n, r.name, d.letters)
	ctx, cancel := context.WithTimeout(context.WithValue(r.ctx, attemptKey{}, a), w.config.Limits.RequestTimeout)
	w.requests.Go(func() {
		defer cancel()
		verdicts, err := r.intake.Process(ctx, d.alerts)
		w.books.took(a, time.Since(a.began))
		if err == nil {
			// The answer may be lost as any other call.
			_, err = leave(context.WithValue(r.ctx, attemptKey{}, a), r, false, "is answered", func() (struct{}, error) {
				a.verdicts = verdicts
				return struct{}{}, nil
			})
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			w.story = append(w.story, fmt.Sprintf("sender: request %d failed", a.n))
		} else if d.acked == nil {
			d.acked = a
			w.books.acknowledged = append(w.books.acknowledged, a)
		}
		d.under = nil
	})
	w.settle()
}

// unacked are the deliveries that a sender would try again now.
func (w *world) unacked() []*delivery {
	return slices.DeleteFunc(slices.Clone(w.deliveries), func(d *delivery) bool { return d.acked != nil || d.under != nil })
}

func (w *world) retry(which, to int) {
	if list := w.unacked(); len(list) > 0 {
		w.request(list[which%len(list)], w.replicas[to%2])
	}
}
