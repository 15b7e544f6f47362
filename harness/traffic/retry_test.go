package traffic_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/traffic"
)

// script answers each attempt in turn: a status, or 0 for a broken connection; the last is
// repeated. It keeps the times and bodies of the attempts.
type script struct {
	statuses []int
	header   http.Header
	takes    time.Duration
	begin    time.Time
	at       []time.Duration
	bodies   [][]byte
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	n := len(s.at)
	s.at = append(s.at, time.Since(s.begin))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.bodies = append(s.bodies, body)
	if s.takes > 0 {
		select {
		case <-time.After(s.takes):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status := s.statuses[min(n, len(s.statuses)-1)]
	if status == 0 {
		return nil, errReset
	}
	return answer(status, s.header), nil
}

// retry runs one notification inside the bubble.
func (s *script) retry(ctx context.Context, t *testing.T, r traffic.Retrier) ([]traffic.Response, *recorder) {
	t.Helper()
	log := &recorder{}
	s.begin = time.Now()
	r.Client = &traffic.Client{BaseURL: "http://gateway", HTTP: &http.Client{Transport: s}, History: log}
	if r.Random == nil {
		r.Random = func() float64 { return 0.5 }
	}
	out, err := r.Send(ctx, traffic.Request{ID: "a-1/1", Name: "a", Method: "POST", Path: "/x", Body: []byte(`{"alerts":[]}`)})
	if err != nil {
		t.Fatal(err)
	}
	return out, log
}

func statuses(list []traffic.Response) []int {
	out := make([]int, len(list))
	for i, r := range list {
		out[i] = r.Status
	}
	return out
}

func TestWhatIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		codes    []int
		want     []int
	}{
		"acknowledged at once":                    {[]int{201}, nil, []int{201}},
		"a 503 until a 202":                       {[]int{503, 503, 202}, nil, []int{503, 503, 202}},
		"every 5xx, even 501":                     {[]int{500, 501, 504, 599, 200}, nil, []int{500, 501, 504, 599, 200}},
		"a broken connection":                     {[]int{0, 0, 200}, nil, []int{0, 0, 200}},
		"a 429 is final":                          {[]int{429, 200}, nil, []int{429}},
		"a 429 is tried again where configured":   {[]int{429, 200}, []int{429}, []int{429, 200}},
		"other codes stay final where configured": {[]int{404, 200}, []int{429}, []int{404}},
		"a 400 is final":                          {[]int{400, 200}, nil, []int{400}},
		"a redirect without a place is final":     {[]int{304, 200}, nil, []int{304}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{statuses: c.statuses}
				got, _ := s.retry(t.Context(), t, traffic.Retrier{Codes: c.codes})
				if diff := cmp.Diff(c.want, statuses(got)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestPausesGrowAsAlertmanagers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{statuses: []int{503, 503, 503, 503, 200}}
		s.retry(t.Context(), t, traffic.Retrier{})
		want := []time.Duration{0, 500 * time.Millisecond, 1250 * time.Millisecond,
			2375 * time.Millisecond, 4062500 * time.Microsecond}
		if diff := cmp.Diff(want, s.at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRetryAfterIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{statuses: []int{503, 200}, header: http.Header{"Retry-After": {"9"}}}
		got, _ := s.retry(t.Context(), t, traffic.Retrier{})
		if s.at[1] != 500*time.Millisecond || got[0].RetryAfter != "9" {
			t.Errorf("second attempt at %s, recorded Retry-After %q; want 500ms and 9", s.at[1], got[0].RetryAfter)
		}
	})
}

func TestThePauseCountsFromTheStartOfAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{statuses: []int{503, 503, 200}, takes: 600 * time.Millisecond}
		s.retry(t.Context(), t, traffic.Retrier{})
		// 600 > 500: at once; then 600+750.
		want := []time.Duration{0, 600 * time.Millisecond, 1350 * time.Millisecond}
		if diff := cmp.Diff(want, s.at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheDeadlineIsTheGroupIntervalAndAtLeastTenSeconds(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{time.Second: 10 * time.Second, 25 * time.Second: 25 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{statuses: []int{503}}
			got, _ := s.retry(t.Context(), t, traffic.Retrier{GroupInterval: interval})
			if took := time.Since(s.begin); took != want {
				t.Errorf("group_interval %s: gave up after %s, want %s", interval, took, want)
			}
			if last := got[len(got)-1]; last.Status != 503 {
				t.Errorf("last response %d, want 503", last.Status)
			}
		})
	}
}

func TestAnAttemptMayHaveADeadlineOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{statuses: []int{200}, takes: time.Hour}
		got, _ := s.retry(t.Context(), t, traffic.Retrier{AttemptTimeout: 2 * time.Second})
		// 10 s in all, each attempt hangs for 2 s.
		if len(got) != 5 {
			t.Errorf("%d attempts in 10 s, want 5", len(got))
		}
	})
}

func TestCancellingEndsTheRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		s := &script{statuses: []int{503}}
		got, _ := s.retry(ctx, t, traffic.Retrier{})
		if took := time.Since(s.begin); took != 600*time.Millisecond || len(got) != 2 {
			t.Errorf("%d attempts in %s, want 2 in 600ms", len(got), took)
		}
	})
}

func TestEachRetryHasTheSameBodyAndNamesTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{statuses: []int{503, 0, 200}}
		_, log := s.retry(t.Context(), t, traffic.Retrier{})
		for i, b := range s.bodies {
			if !bytes.Equal(b, s.bodies[0]) || len(b) == 0 {
				t.Errorf("attempt %d has body %q, the first had %q", i+1, b, s.bodies[0])
			}
		}
		want := []history.Request{{ID: "a-1/1", Name: "a", Method: "POST", Path: "/x"},
			{ID: "a-1/2", Name: "a", Method: "POST", Path: "/x", RetryOf: "a-1/1"},
			{ID: "a-1/3", Name: "a", Method: "POST", Path: "/x", RetryOf: "a-1/1"}}
		if diff := cmp.Diff(want, log.requests()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAFailingRecorderEndsTheRetries(t *testing.T) {
	broken := errors.New("disk full")
	r := traffic.Retrier{Client: &traffic.Client{HTTP: http.DefaultClient, History: &recorder{fail: broken}}}
	if _, err := r.Send(t.Context(), traffic.Request{}); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestPausesStayInTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, random := rapid.IntRange(1, 5000).Draw(t, "attempt"), rapid.Float64Range(0, 1).Draw(t, "random")
		b := rapid.SampledFrom([]traffic.Backoff{traffic.AlertmanagerBackoff, traffic.Quick}).Draw(t, "backoff")
		p := b.Pause(n, random)
		if p < b.Initial/2 || p > b.Max*3/2 {
			t.Fatalf("pause %s is outside of %s..%s", p, b.Initial/2, b.Max*3/2)
		}
	})
}

func TestRetryableCodes(t *testing.T) {
	var tried []int
	for status := range 600 {
		if traffic.Retryable(history.Answer{Status: status}) {
			tried = append(tried, status)
		}
	}
	if len(tried) != 101 || tried[0] != 0 || slices.Min(tried[1:]) != 500 {
		t.Errorf("tried again: %v, want 0 and 500..599", tried)
	}
}
