package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

// Site is what one scenario may break. A nil part is not there.
type Site struct {
	Redis      *RedisProxy
	Kubernetes *KubeProxy
	// Server is a client of the Redis server that goes past the proxy.
	Server *redis.Client
	// Own says that the Redis server is this scenario's alone, so that it may be reconfigured.
	Own bool
	// Prefix begins the scenario's keys.
	Prefix string
	// Run and Until are written on what a fault makes in the cluster, so that what an
	// aborted run leaves can be told from what somebody still uses.
	Run   string
	Until time.Time

	mu       sync.Mutex
	standing map[string]int
}

// UnavailableError says why a fault cannot be injected here, and what to change.
type UnavailableError struct{ ID, Why, Fix string }

// Error implements error.
func (e *UnavailableError) Error() string {
	return "fault " + e.ID + " cannot be injected here: " + e.Why + "; " + e.Fix
}

// UnhealthyError says that a target was not well when it should have been: before its
// first fault, or after its last. What a scenario saw then says nothing of the system.
type UnhealthyError struct {
	Target string
	// When is "before fault x" or "after fault x".
	When string
	Err  error
}

// Error implements error.
func (e *UnhealthyError) Error() string {
	return fmt.Sprintf("%s is not healthy %s: %v", e.Target, e.When, e.Err)
}

// Unwrap returns the cause.
func (e *UnhealthyError) Unwrap() error { return e.Err }

// healthyWithin bounds how long a target may take to be well after a fault.
const healthyWithin = 5 * time.Second

// Arm injects a fault into a healthy target. Faults may stand together, so health is asked
// for before the first fault of a target and after the last. Errors are a *SpecError, an
// *UnavailableError, an *UnhealthyError, or of the injection itself.
func (s *Site) Arm(ctx context.Context, spec Spec) (Handle, error) {
	if err := Validate(spec); err != nil {
		return nil, err
	}
	kind := KindOf(spec)
	if err := s.available(kind, spec); err != nil {
		return nil, err
	}
	if s.stand(spec.Target, +1) == 1 {
		if err := s.healthy(ctx, spec.Target, "before fault "+spec.ID, 0); err != nil {
			s.stand(spec.Target, -1)
			return nil, err
		}
	}
	handle, err := s.inject(ctx, kind, spec)
	if err != nil {
		s.stand(spec.Target, -1)
		return nil, err
	}
	return &sitedFault{Handle: handle, site: s, spec: spec}, nil
}

func (s *Site) inject(ctx context.Context, kind Kind, spec Spec) (Handle, error) {
	switch {
	case kind.site != nil:
		return kind.site(ctx, s, newArmed(spec))
	case spec.Target == Redis:
		return s.Redis.Arm(ctx, spec)
	default:
		return s.Kubernetes.Arm(ctx, spec)
	}
}

// available says what is missing for a fault, nil where nothing is.
func (s *Site) available(kind Kind, spec Spec) error {
	switch {
	case spec.Target == Redis && s.Redis == nil:
		return &UnavailableError{spec.ID, "no proxy stands before these Redis servers", "use a redis step, or a standalone Redis"}
	case spec.Target == Kubernetes && s.Kubernetes == nil:
		return &UnavailableError{spec.ID, "no proxy stands before the API server", "give the system a proxy"}
	case spec.Target == Sink:
		return &UnavailableError{spec.ID, "sinks have doors of their own", "arm it at the sink"}
	case kind.OwnServer && !s.Own:
		return &UnavailableError{spec.ID, "nothing is reconfigured on a server that others use", "write needs: {redis: own}"}
	case kind.Target == Redis && kind.site != nil && s.Server == nil:
		return &UnavailableError{spec.ID, "there is no way to the server past the proxy", "give the site a client"}
	}
	return nil
}

// stand counts the standing faults of a target and returns how many there are now.
func (s *Site) stand(target string, by int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.standing == nil {
		s.standing = map[string]int{}
	}
	s.standing[target] += by
	return s.standing[target]
}

// healthy waits until a target is well; within 0 looks once.
func (s *Site) healthy(ctx context.Context, target, when string, within time.Duration) error {
	look := s.redisHealth
	if target == Kubernetes {
		look = s.Kubernetes.health
	}
	err := wait.Until(ctx, target+" is healthy", within, 10*time.Millisecond, func(ctx context.Context) wait.Look {
		err := look(ctx)
		return wait.Look{Done: err == nil, Err: err}
	})
	if err != nil {
		return &UnhealthyError{target, when, err}
	}
	return nil
}

// redisHealth asks the server to take a write, on its own where that harms nobody.
func (s *Site) redisHealth(ctx context.Context) error {
	if s.Server == nil {
		return s.Redis.reachable(ctx)
	}
	if !s.Own {
		return s.Server.Ping(ctx).Err()
	}
	key := s.Prefix + "health"
	return errors.Join(s.Server.Set(ctx, key, "1", time.Minute).Err(), s.Server.Del(ctx, key).Err())
}

// health asks the API server itself, past the faults.
func (p *KubeProxy) health(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.target.JoinPath("readyz").String(), nil)
	if err != nil {
		return err
	}
	res, err := p.direct.RoundTrip(r)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", res.Status)
	}
	return nil
}

// sitedFault asks after the target's health when it was the last fault to go.
type sitedFault struct {
	Handle
	site *Site
	spec Spec
	once sync.Once
	err  error
}

// undoWithin bounds an undo. It is on top of the scenario's own time: what was broken is
// mended also when that has run out.
const undoWithin = 20 * time.Second

func undoing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoWithin)
}

// takeBack undoes a fault whose injection failed half-way.
func takeBack(ctx context.Context, h Handle) error {
	ctx, cancel := undoing(ctx)
	defer cancel()
	return h.Remove(ctx)
}

// Remove implements Handle. It ignores the end of the context; see undoWithin.
func (f *sitedFault) Remove(ctx context.Context) error {
	f.once.Do(func() {
		ctx, cancel := undoing(ctx)
		defer cancel()
		f.err = f.Handle.Remove(ctx)
		if f.site.stand(f.spec.Target, -1) == 0 {
			f.err = errors.Join(f.err, f.site.healthy(ctx, f.spec.Target, "after fault "+f.spec.ID, healthyWithin))
		}
	})
	return f.err
}
