package server

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/auth"
	"github.com/stormproof/stormproof/gateway/config"
)

// rates knows how often each source has sent lately. It forgets the one that was quiet
// longest, so its size is bounded whoever sends.
type rates struct {
	limit   config.Rate
	sources *lru.Cache[string, *rate.Limiter]
}

func newRates(limit config.Rate) *rates {
	sources, err := lru.New[string, *rate.Limiter](limit.Sources)
	if err != nil { // a size below 1, which config refuses
		panic(err)
	}
	return &rates{limit, sources}
}

// wait is how long the source must wait before its next request is taken; 0 takes this one.
func (r *rates) wait(source string, now time.Time) time.Duration {
	l, known := r.sources.Get(source)
	if !known {
		l = rate.NewLimiter(rate.Limit(r.limit.PerSecond), r.limit.Burst)
		if other, found, _ := r.sources.PeekOrAdd(source, l); found {
			l = other // it came at the same moment
		}
	}
	turn := l.ReserveN(now, 1)
	if delay := turn.DelayFrom(now); delay > 0 {
		turn.CancelAt(now)
		return delay
	}
	return 0
}

// paced holds back a source that sends too often. To Alertmanager it says 503: what is
// answered with 429 it never sends again.
func (s *Server) paced(source alert.Source, next http.Handler) http.Handler {
	status := http.StatusTooManyRequests
	if source.Name() == (alert.Alertmanager{}).Name() {
		status = http.StatusServiceUnavailable
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paces := s.rates.Load()
		if paces.limit.PerSecond == 0 {
			next.ServeHTTP(w, r)
			return
		}
		from, now := auth.Source(r.Context()), s.now()
		wait := paces.wait(from, now)
		if wait == 0 {
			next.ServeHTTP(w, r)
			return
		}
		s.metrics.paced.WithLabelValues(source.Name()).Inc()
		p := newProblem(status, "rate-limited", "This source sends too often",
			"limits.rate bounds each source by itself; nothing was promised, send it again")
		p.Limit = fmt.Sprintf("%v requests a second, %d at once", paces.limit.PerSecond, paces.limit.Burst)
		p.Scope, p.Source = "source", from
		p.retryAfter = strconv.Itoa(int(math.Ceil(wait.Seconds())))
		p.RetryAt = now.Add(wait).UTC().Format(time.RFC3339Nano)
		p.write(w)
	})
}
