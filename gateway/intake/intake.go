// Package intake carries a batch of alerts from parsed to acknowledged: it asks the windows
// what each alert is, has the writer make durable what is new, and counts at the very end.
//
//	alerts ─ by group, by fingerprint ─> Decide ─> objects, members ─> Settle ─> verdicts
//
// Every alert of a batch gets a verdict, or the whole batch gets an error and nothing was
// counted: then the sender's retry meets the objects that the first attempt made.
package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/crash"
	"github.com/stormproof/stormproof/gateway/panics"
	"github.com/stormproof/stormproof/gateway/policy"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// Verdicts about one alert, as they stand in answers and metrics.
const (
	Created   = "created"
	Duplicate = "duplicate"
	Member    = "member"
	Resolved  = "resolved"
	Ignored   = "ignored"
	Invalid   = "invalid"
	// Refused alerts are well, and Kubernetes or Redis did not take them: the verdict says why,
	// and whether it helps to send them again.
	Refused = "refused"
)

// Verdicts lists them all.
func Verdicts() []string {
	return []string{Created, Duplicate, Member, Resolved, Ignored, Invalid, Refused}
}

// Verdict is what became of one alert.
type Verdict struct {
	// Index in the batch, from 0.
	Index       int
	Verdict     string
	Fingerprint string
	// Group is the tag of its storm group: 16 hex digits.
	Group string
	// Namespace and Name of the RemediationRequest; empty where there is none.
	Namespace, Name string
	// Storm is the name of the storm's object, "" outside of storms.
	Storm string
	// Renotifications are the deliveries that brought no new firing.
	Occurrences, Deliveries, Renotifications int64
	// Reason is why an alert is refused, for programs; Detail says it for people.
	Reason, Detail string
	// Retryable says that a refused alert may be taken later.
	Retryable bool
}

// RedisError says that the windows could not be asked: nothing was promised.
type RedisError struct{ Err error }

// Error names Redis.
func (e *RedisError) Error() string { return "redis: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *RedisError) Unwrap() error { return e.Err }

// Windows is what the intake needs of package window.
type Windows interface {
	Decide(ctx context.Context, g window.Group, r window.Request, items []window.Item) ([]window.Decision, []window.Counts, error)
	Settle(ctx context.Context, g window.Group, requestID string, items []window.Settled) ([]window.Counts, error)
	Free(ctx context.Context, g window.Group, f window.Freed) error
}

// Writer is what the intake needs of the writer.
type Writer interface {
	Ensure(ctx context.Context, i remediation.Incident) (remediation.Found, error)
	EnsureStorm(ctx context.Context, members []remediation.Incident, id, uid string, storm v1alpha1.Storm) (remediation.Found, map[string]*v1alpha1.RemediationRequest, error)
	Read(ctx context.Context, namespace, name string) (*v1alpha1.RemediationRequest, error)
	Group(ctx context.Context, namespaces []string, tag string) (remediation.GroupState, error)
	Open(rr *v1alpha1.RemediationRequest) bool
	LastSeen(rr *v1alpha1.RemediationRequest) time.Time
}

// Pages is what the intake needs of a storm's pages.
type Pages interface {
	Join(ctx context.Context, id string, ensure remediation.Ensure, incidents []remediation.Incident) (remediation.Joined, error)
}

// Counters is what the intake needs of the counters.
type Counters interface {
	Note(uid, namespace, name string, t remediation.Tally)
	Known(uid string) remediation.Tally
}

// Intake processes batches; it may be used by many goroutines at once.
type Intake struct {
	Config   config.Config
	Policy   *policy.Policy
	Windows  Windows
	Writer   Writer
	Pages    Pages
	Counters Counters
	Clock    clock.Clock
	// Previous, if not nil, is the rule of fingerprints before this one.
	Previous *Previous
}

// parallel bounds how many objects of one request are written at once.
const parallel = 16

// Process decides on a batch. The error is a *RetryError, a *RedisError or a
// *remediation.UnavailableError: then nothing was acknowledged and nothing counted.
func (in *Intake) Process(ctx context.Context, alerts []alert.Alert) ([]Verdict, error) {
	id := uuid.NewString()
	fingerprints, err := in.fingerprints(ctx, alerts)
	if err != nil {
		return nil, err
	}
	chunks := in.chunks(alerts, fingerprints)
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	group, groupCtx := errgroup.WithContext(work)
	group.SetLimit(4)
	for _, c := range chunks {
		group.Go(func() (err error) {
			defer panics.Caught(&err)
			return in.durable(groupCtx, c, id, len(chunks) == 1)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := unfinished(chunks); err != nil {
		return nil, err
	}
	crash.Point(crash.Durable)
	var out []Verdict
	for _, c := range chunks {
		if err := in.settle(ctx, c, id); err != nil {
			return nil, err
		}
		out = append(out, c.verdicts()...)
	}
	crash.Point(crash.Settled)
	return out, nil
}

// durable decides on a chunk and has everything written that is new. What Kubernetes does not
// take stays with its entry, and its neighbours go on; any other failure fails the batch.
func (in *Intake) durable(ctx context.Context, c *chunk, id string, count bool) error {
	if err := in.decide(ctx, c, window.Request{ID: id, NewStorm: id[:8], Count: count}, c.entries); err != nil {
		return err
	}
	crash.Point(crash.Decided)
	if c.counted {
		return nil
	}
	var over []*entry
	for _, e := range c.entries {
		if e.decision.Kind == window.Expired {
			goesOn, err := in.hold(ctx, e)
			if err != nil {
				return err
			}
			if !goesOn {
				e.item.Over = e.decision.UID
				over = append(over, e)
			}
		}
	}
	if len(over) > 0 {
		if err := in.decide(ctx, c, window.Request{ID: id, NewStorm: id[:8]}, over); err != nil {
			return err
		}
	}
	err := in.write(ctx, c)
	var gone *remediation.GoneError
	if errors.As(err, &gone) {
		return in.afresh(ctx, c, id, gone)
	}
	return err
}

// write makes durable what is new, and looks for what Redis does not know.
func (in *Intake) write(ctx context.Context, c *chunk) error {
	for _, do := range []func(context.Context, *chunk) error{in.open, in.resolve, in.join} {
		if err := do(ctx, c); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil { // the sender comes again: no use in writing members that it is not told of
			return &remediation.UnavailableError{Reason: remediation.Timeout, Doing: "writing the batch", Err: err}
		}
	}
	return nil
}

// decide asks Redis, and Kubernetes about what Redis does not know.
func (in *Intake) decide(ctx context.Context, c *chunk, r window.Request, entries []*entry) error {
	items := make([]window.Item, len(entries))
	for i, e := range entries {
		items[i] = e.item
	}
	decisions, counts, err := in.Windows.Decide(ctx, c.window, r, items)
	if err != nil {
		return &RedisError{err}
	}
	var unknown []*entry
	for i, e := range entries {
		e.decision = decisions[i]
		e.object = decisions[i].Object
		if counts != nil {
			e.counts = counts[i]
		}
		if e.decision.Kind == window.Unknown {
			unknown = append(unknown, e)
		}
	}
	c.counted = counts != nil
	if len(unknown) == 0 {
		return nil
	}
	if r.Seed != nil {
		return &RedisError{errors.New("what Kubernetes knows of the group was not taken")}
	}
	return in.rebuild(ctx, c, r, unknown)
}

// hold asks Kubernetes about an incident whose window has passed.
func (in *Intake) hold(ctx context.Context, e *entry) (bool, error) {
	rr, err := in.Writer.Read(ctx, e.decision.Namespace, e.decision.Name)
	if err != nil {
		return false, err
	}
	return rr != nil && string(rr.UID) == e.decision.UID && in.Config.Dedup.HoldWhileActive && in.Writer.Open(rr), nil
}

// open makes the objects of new incidents.
func (in *Intake) open(ctx context.Context, c *chunk) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, e := range c.entries {
		if !e.pending(window.Open) {
			continue
		}
		group.Go(func() (err error) {
			defer panics.Caught(&err)
			found, err := in.Writer.Ensure(ctx, in.incident(c, e))
			if err != nil {
				return e.fail(err)
			}
			in.take(e, found)
			return nil
		})
	}
	return group.Wait()
}

// join makes new members of the group's storm durable. All of a chunk share one storm.
func (in *Intake) join(ctx context.Context, c *chunk) error {
	byStorm := map[string][]*entry{}
	for _, e := range c.entries {
		if e.pending(window.Member) {
			byStorm[e.decision.Storm] = append(byStorm[e.decision.Storm], e)
		}
	}
	for id, entries := range byStorm {
		incidents := make([]remediation.Incident, len(entries))
		for i, e := range entries {
			incidents[i] = in.incident(c, e)
		}
		ensure := func(ctx context.Context, all []remediation.Incident) (remediation.Found, map[string]*v1alpha1.RemediationRequest, error) {
			return in.Writer.EnsureStorm(ctx, all, id, entries[0].decision.StormUID, v1alpha1.Storm{
				GroupKey: c.group.Key, GroupLabels: c.group.Labels,
				Threshold: int32(c.window.Threshold), WindowSeconds: int64(c.window.Window / time.Second)})
		}
		storm, err := in.Pages.Join(ctx, c.group.Tag+"/"+id, ensure, incidents)
		if err != nil {
			if err := failAll(entries, err); err != nil {
				return fmt.Errorf("joining storm: %w", err)
			}
			continue
		}
		in.joined(entries, storm)
	}
	return nil
}

// joined takes over what became of those who were to join a storm.
func (in *Intake) joined(entries []*entry, storm remediation.Joined) {
	for _, e := range entries {
		if own := storm.Own[e.item.Fingerprint]; own != nil {
			e.decision = window.Decision{Kind: window.Duplicate}
			in.take(e, remediation.Found{Object: own})
			continue
		}
		e.found(storm.Found)
		storm.Created = false
		e.members = storm.Members
		if since, former := storm.Former[e.item.Fingerprint]; former {
			e.since, e.former = since, e.decision.Claimed
		}
	}
}

// incident gathers what the writer needs to know of an entry.
func (in *Intake) incident(c *chunk, e *entry) remediation.Incident {
	decision := in.Policy.Decide(e.first.Labels)
	labels := e.first.Labels
	if e.decision.Storm != "" {
		labels = c.group.Labels
	}
	return remediation.Incident{Alert: e.first, Fingerprint: e.item.Fingerprint, Rule: in.Config.Dedup.AlertIdentity().Version(), Group: c.group,
		Environment: decision.Environment, Priority: decision.Priority, Namespace: Namespace(in.Config, labels), Home: Namespace(in.Config, e.first.Labels), Past: max(e.decision.Incarnation, e.past)}
}

// Namespace is where the object of an alert with these labels goes.
func Namespace(c config.Config, labels map[string]string) string {
	if namespace := labels["namespace"]; len(validation.IsDNS1123Label(namespace)) == 0 {
		return namespace
	}
	// Absent, or nothing that a namespace can be called.
	return c.Kubernetes.Namespace
}
