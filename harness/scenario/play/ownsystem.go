package play

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/fault"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/system"
	"github.com/stormproof/stormproof/harness/traffic"
)

// ownBegin is what the judge must know of a system that is not the gateway: what it promises.
// That a scenario leaves nothing behind is the harness's own promise, so it always stands.
func ownBegin(s *scenario.System) history.Begin {
	promises := slices.Clone(s.Promises)
	if !slices.Contains(promises, "P7") {
		promises = append(promises, "P7")
	}
	return history.Begin{Promises: promises}
}

// ownFactory is how a scenario's own system is started.
func (w *world) ownFactory(s *scenario.System) (system.Factory, error) {
	if s.URL != "" {
		return system.Remote{Public: s.URL}.Start, nil
	}
	p := system.Program{Args: s.Args, Env: s.Env, Files: s.Files}
	if s.Clock != nil {
		p.Clock = system.Clock{Method: s.Clock.Method, Path: s.Clock.Path}
		if p.Clock.Method == "" {
			p.Clock.Method = http.MethodPost
		}
	}
	switch {
	case s.Command == "":
		p.Path = w.host.Programs[s.Key()]
		if p.Path == "" {
			return nil, fmt.Errorf("the run has not built %s", s.Key())
		}
	case strings.Contains(s.Command, "/"):
		p.Path = s.Command
		if !filepath.IsAbs(p.Path) {
			p.Path = filepath.Join(filepath.Dir(s.File), p.Path)
		}
	default:
		path, err := exec.LookPath(s.Command)
		if err != nil {
			return nil, fmt.Errorf("finding system.command: %w; install it, or write a path with a slash", err)
		}
		p.Path = path
	}
	return p.Start, nil
}

// probe is where the system says that it can work; "" for one that just listens.
func (w *world) probe() (path string, status int) {
	s := w.scenario.System
	switch {
	case s == nil:
		return "/readyz", http.StatusOK
	case s.Ready == nil:
		return "", 0
	case s.Ready.Status == 0:
		return s.Ready.Path, http.StatusOK
	default:
		return s.Ready.Path, s.Ready.Status
	}
}

// defaultPath is where send posts to.
func (w *world) defaultPath() string {
	switch s := w.scenario.System; {
	case s == nil:
		return alertmanagerPath
	case s.Path == "":
		return "/"
	default:
		return s.Path
	}
}

// metricsURL is where an instance's metrics are.
func (w *world) metricsURL(i system.Instance) string {
	base, path := i.AdminURL(), "/metrics"
	if s := w.scenario.System; s != nil && s.Metrics != nil {
		if s.Metrics.Listener == "public" {
			base = i.URL()
		}
		if s.Metrics.Path != "" {
			path = s.Metrics.Path
		}
	}
	return base + path
}

// openSinks opens the scenario's receivers.
func (w *world) openSinks(ctx context.Context) error {
	w.sinks = map[string]*traffic.Sink{}
	for _, name := range w.scenario.Sinks {
		s, err := traffic.NewSink(ctx)
		if err != nil {
			return err
		}
		w.sinks[name] = s
	}
	return nil
}

func (w *world) closeSinks() error {
	var errs []error
	for _, s := range w.sinks {
		errs = append(errs, s.Close())
	}
	w.sinks = nil
	return errors.Join(errs...)
}

// sinkValues are the placeholders {{sink.NAME}}.
func (w *world) sinkValues() map[string]string {
	out := map[string]string{}
	for name, s := range w.sinks {
		out["sink."+name] = s.URL()
	}
	return out
}

// sink picks the one that a fault is aimed at: by match.name, or the only one that there is.
func (w *world) sink(f *scenario.Fault) (*traffic.Sink, error) {
	name := f.Match.Name
	if name == "" && len(w.scenario.Sinks) == 1 {
		name = w.scenario.Sinks[0]
	}
	if s := w.sinks[name]; s != nil {
		return s, nil
	}
	return nil, &fault.SpecError{Field: "match.name", Problem: fmt.Sprintf("there is no sink %q", name),
		Fix: "write one of " + strings.Join(w.scenario.Sinks, ", ")}
}

// received is what the sinks got, for expressions.
func (w *world) received() map[string]any {
	out := map[string]any{}
	for name, s := range w.sinks {
		list := []any{}
		for _, r := range s.Received() {
			headers := map[string]any{}
			for k, v := range r.Headers {
				headers[k] = v
			}
			list = append(list, map[string]any{"method": r.Method, "path": r.Path, "headers": headers, "body": r.Body,
				"atMs": r.At.Milliseconds(), "status": int64(r.Status)})
		}
		out[name] = list
	}
	return out
}

// spans are those that the sinks got, for expressions.
func (w *world) spans() []any {
	out := []any{}
	for _, name := range w.scenario.Sinks {
		out = append(out, w.sinks[name].Spans()...)
	}
	return out
}

// kinds are lists of the kinds of objects that the system writes.
func (w *world) kinds() ([]*unstructured.UnstructuredList, []client.ListOption, error) {
	var lists []*unstructured.UnstructuredList
	var selectors []client.ListOption
	if w.scenario.System == nil {
		return nil, nil, nil
	}
	for _, k := range w.scenario.System.Objects {
		gv, err := schema.ParseGroupVersion(k.APIVersion)
		if err != nil {
			return nil, nil, fmt.Errorf("reading system.objects: %w", err)
		}
		selector, err := labels.Parse(k.Selector)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the selector of %s in system.objects: %w", k.Kind, err)
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gv.WithKind(k.Kind + "List"))
		lists = append(lists, list)
		selectors = append(selectors, client.MatchingLabelsSelector{Selector: selector})
	}
	return lists, selectors, nil
}

// objects are those that the system wrote, as Kubernetes returns them.
func (w *world) objects(ctx context.Context) ([]any, error) {
	lists, selectors, err := w.kinds()
	if err != nil {
		return nil, err
	}
	out := []any{}
	for i, list := range lists {
		found, err := w.listed(ctx, list, selectors[i])
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// sweepObjects removes what the system wrote, and reports what stays.
func (w *world) sweepObjects(ctx context.Context, out *report.Scenario) error {
	lists, selectors, err := w.kinds()
	if err != nil {
		return err
	}
	var errs []error
	for i, list := range lists {
		one := &unstructured.Unstructured{}
		one.SetGroupVersionKind(list.GroupVersionKind().GroupVersion().WithKind(strings.TrimSuffix(list.GetKind(), "List")))
		for _, ns := range w.namespaces {
			if err := w.kube.DeleteAllOf(ctx, one, client.InNamespace(ns), selectors[i].(client.MatchingLabelsSelector)); err != nil {
				errs = append(errs, fmt.Errorf("removing the system's objects: %w", err))
			}
		}
		left, err := w.listed(ctx, list, selectors[i])
		errs = append(errs, err)
		for range left {
			errs = append(errs, w.residue(out, "object", one.GetKind()+" in "+strings.Join(w.namespaces, ", ")))
		}
	}
	return errors.Join(errs...)
}

// expandValue fills in the placeholders in the strings of a value.
func (w *world) expandValue(v any, i int) any {
	switch t := v.(type) {
	case string:
		return w.expand(t, i)
	case []any:
		out := make([]any, len(t))
		for n, x := range t {
			out[n] = w.expandValue(x, i)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, x := range t {
			out[w.expand(k, i)] = w.expandValue(x, i)
		}
		return out
	default:
		return v
	}
}
