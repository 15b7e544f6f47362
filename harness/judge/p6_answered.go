package judge

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"
)

// slack is what a deadline may be missed by, for the client's own work.
const slack = time.Second

// answered judges P6: what is not acknowledged is said so, in time and in the agreed form.
func answered(e *evidence, b *breach) {
	for _, r := range e.requests {
		a := r.answer
		if a == nil {
			continue // the scenario was cut short at a failed step
		}
		seq := r.end.Seq
		if a.Status != 0 && e.begin.Deadline > 0 && a.Latency > e.begin.Deadline+slack {
			b.fail(seq, "answer of %s took %s, the deadline is %s", r.ID, a.Latency.Round(time.Millisecond), e.begin.Deadline)
		}
		switch {
		case a.Acked():
		case a.Status == 0:
			if !a.Barred && !r.Leaves && !e.disturbed(r) {
				b.fail(seq, "request %s got no answer although nothing was broken: %s", r.ID, a.Error)
			}
		case a.Status < http.StatusBadRequest:
			b.fail(seq, "answer %d of %s neither acknowledges nor refuses", a.Status, r.ID)
		case !strings.HasPrefix(a.ContentType, "application/problem+json"):
			b.fail(seq, "answer %d of %s is %q, not a problem document", a.Status, r.ID, a.ContentType)
		case a.Problem == "":
			b.fail(seq, "answer %d of %s is a problem without a type", a.Status, r.ID)
		case a.Status == http.StatusServiceUnavailable && a.RetryAfter == "":
			b.fail(seq, "answer 503 of %s has no Retry-After", r.ID)
		case a.RetryAfter != "" && !readable(a.RetryAfter):
			b.fail(seq, "Retry-After %q of %s is neither seconds nor a date", a.RetryAfter, r.ID)
		}
	}
}

// readable reports whether a Retry-After says when.
func readable(retryAfter string) bool {
	if n, err := strconv.Atoi(retryAfter); err == nil {
		return n >= 0
	}
	_, err := http.ParseTime(retryAfter)
	return err == nil
}

// disturbed reports whether the system was being stopped, killed or started at some moment
// between the request and its missing answer.
func (e *evidence) disturbed(r *request) bool {
	i := sort.Search(len(e.down), func(i int) bool { return e.down[i].to > r.event.Seq })
	return i < len(e.down) && e.down[i].from < r.end.Seq
}
