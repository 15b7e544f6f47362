// Package why tells where an alert went: which objects and storms Kubernetes has of a
// fingerprint, what was counted there, what Redis knows of it, and what its next delivery
// would meet. It reads only, and reads live.
//
// Start with Asker.Ask; Report.Text is what a person reads.
package why

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// Report is the answer.
type Report struct {
	Fingerprint string `json:"fingerprint"`
	// Places are where the alert is, the newest first.
	Places []Place `json:"places"`
	// RedisError is why Redis could not be asked, "" where it was.
	RedisError string `json:"redisError,omitempty"`
	Next       Next   `json:"next"`
}

// Place is an object that an alert has, or a storm that it is a member of.
type Place struct {
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	AlertName   string `json:"alertName"`
	Incarnation int32  `json:"incarnation"`
	// Open says that the incident goes on.
	Open bool `json:"open"`
	// Joined is the startsAt that it joined the storm with, nil for an object of its own.
	Joined   *time.Time `json:"joined,omitempty"`
	OpenedAt time.Time  `json:"openedAt"`
	// Status is what Kubernetes shows; of a storm, the sums over its members.
	Status v1alpha1.RemediationRequestStatus `json:"status"`
	// Redis is what Redis has counted of this alert there, nil where it knows nothing.
	Redis *Memory `json:"redis,omitempty"`

	object *v1alpha1.RemediationRequest
	labels map[string]string
}

// Memory is what Redis has counted.
type Memory struct {
	Occurrences     int64     `json:"occurrences"`
	Deliveries      int64     `json:"deliveries"`
	Renotifications int64     `json:"renotifications"`
	LastSeen        time.Time `json:"lastSeen"`
}

// Next is what another delivery of the alert would meet.
type Next struct {
	// Verdict is created, duplicate or member.
	Verdict string `json:"verdict"`
	// Object is namespace/name, "" for one that is not there yet.
	Object  string `json:"object,omitempty"`
	Because string `json:"because"`
}

// UnknownError says that nothing in the cluster has the fingerprint.
type UnknownError struct{ Fingerprint string }

// Error says what to do next.
func (e *UnknownError) Error() string {
	return "no object and no storm in the cluster has the fingerprint " + e.Fingerprint +
		": it was never acknowledged, or what it made was deleted; gateway explain FILE tells the fingerprint of each alert of a payload"
}

// Counted is what Asker needs of the windows.
type Counted interface {
	Counted(ctx context.Context, refs []window.Ref) ([]window.Counts, error)
}

// Asker asks Kubernetes and Redis.
type Asker struct {
	Client  client.Reader
	Writer  *remediation.Writer
	Windows Counted
	Clock   clock.Clock
	Config  config.Config
}

// Ask finds out where a fingerprint is. The error is an *UnknownError where it is nowhere.
func (a Asker) Ask(ctx context.Context, fingerprint string) (Report, error) {
	out := Report{Fingerprint: fingerprint}
	own, err := a.own(ctx, fingerprint)
	if err != nil {
		return out, err
	}
	storms, err := a.storms(ctx, fingerprint)
	if err != nil {
		return out, err
	}
	out.Places = slices.Concat(own, storms)
	if len(out.Places) == 0 {
		return out, &UnknownError{fingerprint}
	}
	slices.SortStableFunc(out.Places, func(x, y Place) int { return y.OpenedAt.Compare(x.OpenedAt) })
	if err := a.redis(ctx, &out); err != nil {
		out.RedisError = err.Error()
	}
	out.Next, err = a.next(ctx, out)
	return out, err
}

// own are the incarnations that have objects of their own.
func (a Asker) own(ctx context.Context, fingerprint string) ([]Place, error) {
	var list v1alpha1.RemediationRequestList
	if err := a.Client.List(ctx, &list, client.MatchingLabels{v1alpha1.LabelFingerprint: remediation.LabelValue(fingerprint)}); err != nil {
		return nil, fmt.Errorf("listing remediationrequests: %w", err)
	}
	var out []Place
	for i := range list.Items {
		if rr := &list.Items[i]; rr.Spec.Fingerprint == fingerprint {
			out = append(out, a.place(rr, rr.Spec.Labels))
		}
	}
	return out, nil
}

// pagesAtOnce bounds an answer of the API server: a page may hold 500 members.
const pagesAtOnce = 50

// storms are those in whose pages the fingerprint stands.
func (a Asker) storms(ctx context.Context, fingerprint string) ([]Place, error) {
	var out []Place
	for next, first := "", true; first || next != ""; first = false {
		var list v1alpha1.StormPageList
		if err := a.Client.List(ctx, &list, client.Limit(pagesAtOnce), client.Continue(next)); err != nil {
			return nil, fmt.Errorf("listing stormpages: %w", err)
		}
		next = list.Continue
		for i := range list.Items {
			page := &list.Items[i]
			k := slices.IndexFunc(page.Spec.Members, func(m v1alpha1.Member) bool { return m.Fingerprint == fingerprint })
			if k < 0 {
				continue
			}
			storm, err := a.Writer.Read(ctx, page.Namespace, page.Spec.Storm)
			if err != nil {
				return nil, err
			}
			if storm != nil && remediation.OwnedBy(page, storm) {
				p := a.place(storm, page.Spec.Members[k].Labels)
				p.Joined = &page.Spec.Members[k].StartsAt.Time
				out = append(out, p)
			}
		}
	}
	return out, nil
}

func (a Asker) place(rr *v1alpha1.RemediationRequest, labels map[string]string) Place {
	return Place{Namespace: rr.Namespace, Name: rr.Name, AlertName: rr.Spec.AlertName, Incarnation: rr.Spec.Incarnation,
		Open: a.Writer.Open(rr), OpenedAt: remediation.OpenedAt(rr), Status: rr.Status, object: rr, labels: labels}
}

// redis adds what Redis has counted.
func (a Asker) redis(ctx context.Context, r *Report) error {
	refs := make([]window.Ref, len(r.Places))
	for i, p := range r.Places {
		refs[i] = window.Ref{Tag: p.object.Labels[v1alpha1.LabelGroup], Fingerprint: r.Fingerprint, UID: string(p.object.UID)}
		if p.object.Spec.Storm != nil && p.Joined == nil {
			refs[i].Storm = p.object.Spec.Storm.ID
		}
	}
	counts, err := a.Windows.Counted(ctx, refs)
	if err != nil {
		return err
	}
	for i, c := range counts {
		if c != (window.Counts{}) {
			r.Places[i].Redis = &Memory{c.Occurrences, c.Deliveries, c.Renotifications, window.Time(c.LastSeen)}
		}
	}
	return nil
}

// next reads the alert's storm group, as a gateway does whose Redis is empty.
func (a Asker) next(ctx context.Context, r Report) (Next, error) {
	newest := r.Places[0]
	if newest.object.Spec.Storm != nil && newest.Joined == nil {
		return Next{Verdict: "none", Because: "it is a storm's own fingerprint: no alert has it"}, nil
	}
	namespaces := []string{a.Config.Kubernetes.Namespace, a.Config.Kubernetes.FallbackNamespace}
	for _, p := range r.Places {
		namespaces = append(namespaces, p.Namespace)
	}
	state, err := a.Writer.Group(ctx, namespaces, newest.object.Labels[v1alpha1.LabelGroup])
	if err != nil {
		return Next{}, err
	}
	group := alert.GroupOf(alert.Alert{Labels: newest.labels}, a.Config.Storm.AlertRules())
	return decide(r, state, a.Config.Storm.Rules[group.Rule], a.Clock.Now()), nil
}

// decide is what becomes of an alert by what Kubernetes knows of its group.
func decide(r Report, state remediation.GroupState, rule config.StormRule, now time.Time) Next {
	for _, p := range r.Places {
		switch {
		case p.Open && p.Joined == nil:
			return Next{Verdict: "duplicate", Object: p.Namespace + "/" + p.Name, Because: "its incident is open"}
		case p.Open:
			return Next{Verdict: "duplicate", Object: p.Namespace + "/" + p.Name, Because: "it is a member of this storm, whose incident is open"}
		}
	}
	if storm := state.Joinable(now, rule.Window); storm != nil {
		return Next{Verdict: "member", Object: storm.Object.Namespace + "/" + storm.Object.Name, Because: "its incident is over, and its group is in this storm"}
	}
	opened := 0
	for _, o := range state.Openings {
		if now.Sub(o.At) <= rule.Window {
			opened++
		}
	}
	if opened+1 >= rule.Threshold {
		return Next{Verdict: "created", Because: fmt.Sprintf("its incident is over; with %d openings of its group in %s it opens a storm", opened, rule.Window)}
	}
	return Next{Verdict: "created", Because: "its incident is over: the next one has an object of its own"}
}
