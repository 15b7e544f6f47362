package judge

import (
	"net/http"
	"strings"
	"time"
)

// slack is what a deadline may be missed by, for the client's own work.
const slack = time.Second

// answered judges P6: what is not acknowledged is said so, in time and in the agreed form.
func answered(e *evidence) Finding {
	for _, r := range e.requests {
		a := r.answer
		if a == nil {
			if e.clean {
				return Finding{Outcome: Inconclusive, Why: "request " + r.ID + " has no answer in the history", Evidence: []int64{r.event.Seq}}
			}
			continue
		}
		if a.Status != 0 && e.begin.Deadline > 0 && a.Latency > e.begin.Deadline+slack {
			return fail(r.end.Seq, "answer of %s took %s, the deadline is %s", r.ID, a.Latency.Round(time.Millisecond), e.begin.Deadline)
		}
		switch {
		case a.Acked():
		case a.Status != 0 && a.Status < http.StatusBadRequest:
			return fail(r.end.Seq, "answer %d of %s neither acknowledges nor refuses", a.Status, r.ID)
		case a.Status == 0 && !e.disturbed(r):
			return fail(r.end.Seq, "request %s got no answer although nothing was broken: %s", r.ID, a.Error)
		case a.Status >= http.StatusBadRequest && !strings.HasPrefix(a.ContentType, "application/problem+json"):
			return fail(r.end.Seq, "answer %d of %s is %q, not a problem document", a.Status, r.ID, a.ContentType)
		case a.Status == http.StatusServiceUnavailable && a.RetryAfter == "":
			return fail(r.end.Seq, "answer 503 of %s has no Retry-After", r.ID)
		}
	}
	return pass()
}

// disturbed reports whether the gateway was being restarted while the request was under way.
func (e *evidence) disturbed(r *request) bool {
	for _, ev := range e.events {
		if ev.Action != nil && ev.Action.Kind == "restart" && ev.Seq > r.event.Seq-2 && ev.Seq < r.end.Seq+2 {
			return true
		}
	}
	return false
}
