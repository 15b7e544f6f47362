package play

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/scenario/expr"
)

// caught turns a panic of the function that defers it into an error.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = errors.Join(*err, fmt.Errorf("the harness panicked: %v\n%s", p, debug.Stack()))
	}
}

// do carries out one step. A panic of the harness in it is an error, so that evidence is
// kept and the world is taken down.
func (w *world) do(ctx context.Context, s *scenario.Step) (err error) {
	defer caught(&err)
	switch {
	case s.Send != nil:
		return w.send(ctx, s.Send)
	case s.Storm != nil:
		return w.send(ctx, s.Storm.AsSend())
	case s.Load != nil:
		return w.load(ctx, s.Load)
	case s.Advance != nil:
		return w.advance(ctx, s.Advance.D())
	case s.Fault != nil:
		return w.arm(ctx, s.Fault)
	case s.Heal != nil:
		return w.heal(ctx, *s.Heal)
	case s.Expect != nil:
		return w.expect(ctx, s.Expect)
	case s.Eventually != nil:
		return w.eventually(ctx, s.Eventually)
	case s.Consistently != nil:
		return w.consistently(ctx, s.Consistently)
	case s.Phase != nil:
		return w.setPhase(ctx, s.Phase)
	case s.Delete != nil:
		return w.remove(ctx, s.Delete)
	case s.Apply != nil:
		return w.apply(ctx, *s.Apply)
	case s.Refused != nil:
		return w.demandRefusal(ctx, s.Refused)
	case s.Withdraw != nil:
		return w.withdraw(ctx, *s.Withdraw)
	case s.Redis != nil:
		return w.redisCommand(ctx, s.Redis)
	case s.APIServer != nil:
		return w.doAPIServer(ctx, *s.APIServer)
	case s.Restart != nil:
		return w.restart(ctx, s.Restart)
	case s.Reload != nil:
		return w.reload(ctx, s.Reload)
	case s.Crash != nil:
		return w.crash(s.Crash)
	case s.Kill != nil:
		return w.kill(ctx, max(1, s.Kill.Replica))
	case s.Terminate != nil:
		return w.terminate(ctx, max(1, s.Terminate.Replica))
	case s.Write != nil:
		return w.writeFiles(s.Write)
	case s.Renew != nil:
		return w.renew(*s.Renew)
	case s.Revoke != nil:
		return w.revoke(ctx, *s.Revoke)
	case s.Concurrently != nil:
		return w.concurrently(ctx, s.Concurrently)
	case s.Sequence != nil:
		return w.sequence(ctx, s.Sequence)
	case s.Alertmanager != nil:
		return w.doAlertmanager(ctx, s.Alertmanager)
	default:
		return errors.New("the step is empty")
	}
}

// concurrently does steps at the same time. It waits for all, so that every failure is told:
// one that fails does not stop the others.
func (w *world) concurrently(ctx context.Context, steps []scenario.Step) error {
	errs := make([]error, len(steps))
	var group sync.WaitGroup
	for i := range steps {
		group.Go(func() {
			if err := w.do(ctx, &steps[i]); err != nil {
				errs[i] = &stepError{"concurrently", i, steps[i].Name(), err}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// sequence does steps one after the other and stops at the first that fails.
func (w *world) sequence(ctx context.Context, steps []scenario.Step) error {
	for i := range steps {
		if err := w.do(ctx, &steps[i]); err != nil {
			return &stepError{"sequence", i, steps[i].Name(), err}
		}
	}
	return nil
}

// chosen reads the RemediationRequests that an expression over `it` picks.
func (w *world) chosen(ctx context.Context, where string, count int) ([]v1alpha1.RemediationRequest, error) {
	if where == "" {
		where = "true"
	}
	e, err := expr.Compile(where)
	if err != nil {
		return nil, err
	}
	var out []v1alpha1.RemediationRequest
	all, err := w.requestsNow(ctx)
	if err != nil {
		return nil, err
	}
	for _, rr := range all {
		plainObject, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&rr)
		if err != nil {
			return nil, fmt.Errorf("converting %s: %w", rr.Name, err)
		}
		ok, err := e.Eval(map[string]any{"it": plainObject})
		if err != nil {
			return nil, failf("%v", err)
		}
		if ok {
			out = append(out, rr)
		}
	}
	if len(out) != count {
		return nil, failf("expected %d RemediationRequests where %s, found %d of %d", count, where, len(out), len(all))
	}
	return out, nil
}

func (w *world) requestsNow(ctx context.Context) ([]v1alpha1.RemediationRequest, error) {
	var out []v1alpha1.RemediationRequest
	for _, ns := range w.namespaces {
		var list v1alpha1.RemediationRequestList
		if err := w.kube.List(ctx, &list, client.InNamespace(ns)); err != nil {
			return nil, fmt.Errorf("listing RemediationRequests in %s: %w", ns, err)
		}
		out = append(out, list.Items...)
	}
	return out, nil
}

func (w *world) setPhase(ctx context.Context, p *scenario.Phase) error {
	list, err := w.chosen(ctx, p.Where, p.Count)
	if err != nil {
		return err
	}
	for i := range list {
		rr := &list[i]
		if err := w.act("phase", rr.Namespace, rr.Name, p.To); err != nil {
			return err
		}
		patch := fmt.Sprintf(`{"status":{"phase":%q}}`, p.To)
		if err := w.kube.Status().Patch(ctx, rr, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
			return fmt.Errorf("moving %s to %s: %w", rr.Name, p.To, err)
		}
	}
	return nil
}

func (w *world) remove(ctx context.Context, s *scenario.Select) error {
	list, err := w.chosen(ctx, s.Where, s.Count)
	if err != nil {
		return err
	}
	for i := range list {
		rr := &list[i]
		if err := w.act("delete", rr.Namespace, rr.Name, ""); err != nil {
			return err
		}
		if err := w.kube.Delete(ctx, rr, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			return fmt.Errorf("deleting %s: %w", rr.Name, err)
		}
	}
	return nil
}

func (w *world) act(kind, namespace, name, detail string) error {
	return w.history.Add(history.Event{Action: &history.Action{Kind: kind, Namespace: namespace, Name: name, Detail: detail}})
}
