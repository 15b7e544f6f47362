package play

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/traffic"
)

// armedFaults keeps the handles of a world's faults, and the receipts of removed ones.
type armedFaults struct {
	mu    sync.Mutex
	order []string
	byID  map[string]*armedFault
}

type armedFault struct {
	step    scenario.Fault
	handle  fault.Handle
	removed bool
	receipt fault.Receipt
}

func newArmedFaults() *armedFaults { return &armedFaults{byID: map[string]*armedFault{}} }

func (f *armedFault) now() fault.Receipt {
	if f.removed {
		return f.receipt
	}
	return f.handle.Receipt()
}

func (a *armedFaults) view() map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]any{}
	for id, f := range a.byID {
		r := f.now()
		out[id] = map[string]any{"planned": r.Planned, "matched": r.Matched, "applied": r.Applied}
	}
	return out
}

// arm injects a fault and records that it stands.
func (w *world) arm(ctx context.Context, f *scenario.Fault) error {
	spec := f.Spec()
	spec.Match.Namespace = w.expand(spec.Match.Namespace, 0)
	var handle fault.Handle
	var err error
	switch f.Target {
	case fault.Redis:
		if w.redis == nil {
			return errors.New("this system has no Redis; let its description mention {{redis}}")
		}
		if w.redisProxy == nil {
			return fmt.Errorf("arming fault %s: no fault reaches the topology %s: use a redis step, or --redis-topology=standalone", f.ID, w.access.Topology)
		}
		handle, err = w.redisProxy.Arm(ctx, spec)
	case fault.Sink:
		var sink *traffic.Sink
		if sink, err = w.sink(f); err == nil {
			handle, err = sink.Arm(ctx, spec)
		}
	default:
		handle, err = w.kubeProxy.Arm(ctx, spec)
	}
	if err != nil {
		return fmt.Errorf("arming fault %s: %w", f.ID, err)
	}
	return w.armed(f, handle)
}

// armed remembers a fault and records that it stands.
func (w *world) armed(f *scenario.Fault, handle fault.Handle) error {
	w.faults.mu.Lock()
	w.faults.order = append(w.faults.order, f.ID)
	w.faults.byID[f.ID] = &armedFault{step: *f, handle: handle}
	w.faults.mu.Unlock()
	return w.recordFault("armed", handle.Receipt())
}

func (w *world) recordFault(change string, r fault.Receipt) error {
	return w.history.Add(history.Event{Fault: &history.Fault{ID: r.ID, Target: r.Target, Kind: r.Kind,
		Change: change, Planned: r.Planned, Matched: r.Matched, Applied: r.Applied}})
}

// heal removes a fault and checks its receipt: a fault that hit nothing tested nothing.
func (w *world) heal(ctx context.Context, id string) error {
	w.faults.mu.Lock()
	f := w.faults.byID[id]
	w.faults.mu.Unlock()
	if f == nil {
		return fmt.Errorf("no fault %q was armed before it is healed", id)
	}
	if f.removed {
		return nil
	}
	if err := f.handle.Remove(ctx); err != nil {
		return fmt.Errorf("removing fault %s: %w", id, err)
	}
	w.faults.mu.Lock()
	f.receipt, f.removed = f.handle.Receipt(), true
	w.faults.mu.Unlock()
	if err := w.recordFault("removed", f.receipt); err != nil {
		return err
	}
	if f.step.Applied != nil && f.receipt.Applied != *f.step.Applied {
		return failf("fault %q: expected the proxy to count %d hits, it counted %d (matched %d)",
			id, *f.step.Applied, f.receipt.Applied, f.receipt.Matched)
	}
	return nil
}

// healAll removes what still stands, oldest first.
func (w *world) healAll(ctx context.Context) error {
	w.faults.mu.Lock()
	order := append([]string{}, w.faults.order...)
	w.faults.mu.Unlock()
	for _, id := range order {
		if err := w.heal(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
