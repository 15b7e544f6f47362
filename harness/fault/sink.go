package fault

import (
	"context"
	"net/http"
	"slices"
	"sync"
)

// Sink is the target of faults at a receiver of the harness: what the system under test
// meets when it delivers something.
const Sink = "sink"

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
		return KindOf(a.spec).door(a, w, r)
	}
	return 0
}
