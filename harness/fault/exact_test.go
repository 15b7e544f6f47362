package fault

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestKubeCountsAreExactForRequestsAtOnce is what a scenario's `times:` relies on while
// many requests race for the hits.
func TestKubeCountsAreExactForRequestsAtOnce(t *testing.T) {
	for _, kind := range []string{Reset, ReplyLost} {
		t.Run(kind+" hits 7 of 40", func(t *testing.T) {
			_, p, c := kubeWorld(t)
			h := arm(t, p, Spec{Target: Kubernetes, Kind: kind, Times: 7})
			var unanswered atomic.Int64
			var all sync.WaitGroup
			for range 40 {
				all.Go(func() {
					if _, err := ask(t.Context(), c, p, http.MethodPost, things); err != nil {
						unanswered.Add(1)
					}
				})
			}
			all.Wait()
			if got := unanswered.Load(); got != 7 {
				t.Errorf("%d requests went unanswered, want 7", got)
			}
			wantCounts(t, h, 40, 7)
		})
	}
}

func TestRedisPipelineIsOneRequest(t *testing.T) {
	_, p, client := redisWorld(t)
	ok(t, client, "PING")
	h := arm(t, p, Spec{Target: Redis, Kind: Latency, Delay: time.Millisecond, Match: Match{Command: "INCR"}})
	if _, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		for range 3 {
			pipe.Incr(t.Context(), "n")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, h, 1, 1)
}
