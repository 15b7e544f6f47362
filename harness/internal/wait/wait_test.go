package wait

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAWaitEndsWhenItsGoalIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		err := Until(t.Context(), "three looks", time.Second, 10*time.Millisecond, func(context.Context) Look {
			looks++
			return Look{Done: looks == 3}
		})
		if err != nil || looks != 3 {
			t.Errorf("%d looks, %v", looks, err)
		}
	})
}

func TestAWaitThatFailsSaysAllItKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		err := Until(t.Context(), "rr.size() == 1", 50*time.Millisecond, 10*time.Millisecond, func(context.Context) Look {
			looks++
			if looks == 2 {
				return Look{Err: errors.New("connection refused")}
			}
			return Look{State: func() string { return "rr.size() = " + strconv.Itoa(looks) }}
		})
		var failed *Error
		if !errors.As(err, &failed) || failed.Attempts != 6 || failed.Elapsed != 50*time.Millisecond || failed.State != "rr.size() = 6" {
			t.Fatalf("%+v", err)
		}
		const want = "expected within 50ms: rr.size() == 1\nlooked 6 times in 50ms\nlast state: rr.size() = 6\nlast error: connection refused"
		if got := err.Error(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestAWaitGivesUpWhenItsGoalIsUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("the gateway has exited")
		begin := time.Now()
		err := Until(t.Context(), "ready", time.Hour, time.Second, func(context.Context) Look { return Look{Hopeless: gone} })
		if !errors.Is(err, gone) || time.Since(begin) != 0 || !strings.Contains(err.Error(), "then gave up: the gateway has exited") {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := Until(ctx, "never", time.Hour, 300*time.Millisecond, func(context.Context) Look { return Look{} })
		var failed *Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failed) || failed.Elapsed != time.Second {
			t.Errorf("%v", err)
		}
	})
}

func TestTheEndOfTheWaitDoesNotHideWhatWentWrongBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		looks := 0
		err := Until(t.Context(), "an answer", time.Second, time.Second, func(ctx context.Context) Look {
			if looks++; looks == 1 {
				return Look{Err: refused}
			}
			<-ctx.Done() // this look hangs
			return Look{Err: ctx.Err()}
		})
		var failed *Error
		if !errors.As(err, &failed) || !errors.Is(failed.Last, refused) || failed.Attempts != 2 {
			t.Errorf("%+v", failed)
		}
	})
}
