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
	switch {
	case f.Target == fault.Redis && w.redis == nil:
		return errors.New("this system has no Redis; let its description mention {{redis}}")
	case f.Target == fault.Sink:
		var sink *traffic.Sink
		if sink, err = w.sink(f); err == nil {
			handle, err = sink.Arm(ctx, spec)
		}
	default:
		handle, err = w.faultSite().Arm(ctx, spec)
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
	over := f != nil && f.removed
	w.faults.mu.Unlock()
	switch {
	case f == nil:
		return fmt.Errorf("no fault %q was armed before it is healed", id)
	case over:
		return nil
	}
	err := f.handle.Remove(ctx)
	w.faults.mu.Lock()
	f.receipt, f.removed = f.handle.Receipt(), true
	w.faults.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("removing fault %s: %w", id, err)
	}
	if err := errors.Join(err, w.recordFault("removed", f.receipt)); err != nil {
		return err
	}
	if f.step.Applied != nil && f.receipt.Applied != *f.step.Applied {
		return failf("fault %q: expected the proxy to count %d hits, it counted %d (matched %d)",
			id, *f.step.Applied, f.receipt.Applied, f.receipt.Matched)
	}
	return nil
}

// healAll removes what still stands, oldest first. One that fails keeps no other standing.
func (w *world) healAll(ctx context.Context) error {
	w.faults.mu.Lock()
	order := append([]string{}, w.faults.order...)
	w.faults.mu.Unlock()
	var errs []error
	for _, id := range order {
		errs = append(errs, w.heal(ctx, id))
	}
	return errors.Join(errs...)
}
