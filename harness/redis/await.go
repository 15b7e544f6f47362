package redis

import (
	"context"
	"errors"
	"time"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

// lookEvery is how often a state that servers reach by themselves is asked for.
const lookEvery = 20 * time.Millisecond

// errHopeless ends a wait at once: what is waited for can no longer come.
var errHopeless = errors.New("waiting is in vain")

// await calls look until it returns "" (reached) instead of what is still amiss. An error of
// look is one more thing that may pass, unless it is errHopeless.
func await(ctx context.Context, expected string, look func(ctx context.Context) (amiss string, err error)) error {
	return wait.Until(ctx, expected, changeTimeout, lookEvery, func(ctx context.Context) wait.Look {
		amiss, err := look(ctx)
		if errors.Is(err, errHopeless) {
			return wait.Look{Hopeless: err}
		}
		seen := wait.Look{Done: amiss == "" && err == nil, Err: err}
		if amiss != "" {
			seen.State = func() string { return amiss }
		}
		return seen
	})
}
