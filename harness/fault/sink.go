package fault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Sink is the target of faults at a receiver of the harness: what the system under test
// meets when it delivers something.
const Sink = "sink"

func checkSink(s Spec) *SpecError {
	if err := oneOf("kind", s.Kind, Kinds(Sink)); err != nil {
		return err
	}
	if err := checkCounts(s); err != nil {
		return err
	}
	if err := checkSettings(s); err != nil {
		return err
	}
	m := s.Match
	m.Name = ""
	if m != (Match{}) {
		return &SpecError{"match", "only name can be matched at a sink", "write match: {name: hook}"}
	}
	return nil
}

// Door stands in front of an HTTP handler of the harness and injects faults.
type Door struct {
	mu    sync.Mutex
	armed []*armed
}

// Arm injects a fault with target Sink.
func (d *Door) Arm(_ context.Context, spec Spec) (Handle, error) {
	if err := Validate(spec); err != nil {
		return nil, err
	}
	if spec.Target != Sink {
		return nil, &SpecError{"target", "this is a sink", "write sink"}
	}
	a := newArmed(spec)
	a.detach = func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.armed = slices.DeleteFunc(d.armed, func(x *armed) bool { return x == a })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = append(d.armed, a)
	return a, nil
}

// Meet lets the first fault that takes this request have it. It returns the status that
// was answered in the handler's place: 0 where the handler shall answer, and -1 where the
// request was hung up on, without an answer.
func (d *Door) Meet(w http.ResponseWriter, r *http.Request) int {
	d.mu.Lock()
	list := slices.Clone(d.armed)
	d.mu.Unlock()
	for _, a := range list {
		if !a.hit() {
			continue
		}
		switch a.spec.Kind {
		case Status:
			if a.spec.RetryAfter > 0 {
				w.Header().Set("Retry-After", fmt.Sprint(a.spec.RetryAfter))
			}
			http.Error(w, "fault "+a.spec.ID+" was injected", a.spec.Code)
			return a.spec.Code
		case Hang:
			select {
			case <-a.gone:
			case <-r.Context().Done():
			}
			return -1
		default:
			timer := time.NewTimer(a.spec.Delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-a.gone:
			case <-r.Context().Done():
			}
			return 0
		}
	}
	return 0
}
