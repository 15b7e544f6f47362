package model

import (
	"context"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/memory"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// bug is a protocol that somebody got wrong; its zero value is the real one.
type bug struct {
	name, what string
	// rare: it takes many schedules.
	rare bool
	// promises that it may be caught by.
	promises string
	// lua edits the scripts.
	lua func(string) string
	// firstReads: the number of slots is read in a call of its own, before the claim.
	firstReads bool
	// freshMarker: each run of a script takes itself for another request.
	freshMarker bool
	// client stands between the writers and the API server, wire edits a replica.
	client func(*memory.Cluster) client.Client
	wire   func(*replica)
}

// bugs are protocols as they are often written. Each passes a test by hand.
func bugs() []bug {
	return []bug{
		{name: "claim-in-two-steps", promises: "P3", firstReads: true,
			what: "reads how many slots are taken, and claims one in a second call",
			lua:  edit("redis.call('ZCARD', KEYS[1])", "tonumber(ARGV[2]) + 1")},
		{name: "random-names", promises: "P2",
			what:   "gives each object a name of its own, so a create that is tried again makes another",
			client: func(c *memory.Cluster) client.Client { return &randomNames{Cluster: c} }},
		{name: "counted-before-durable", promises: "P1 P5",
			what: "counts with the decision, before the object is there",
			wire: func(r *replica) { r.intake.Windows = countsFirst{r.intake.Windows} }},
		{name: "incarnation-from-a-cache", rare: true, promises: "P1 P2 P3 P6",
			what:   "reads from a cache that lags behind by a few writes",
			client: func(c *memory.Cluster) client.Client { return &cached{Cluster: c} }},
		{name: "retry-counted-twice", promises: "P5", freshMarker: true,
			what: "does not recognise a script that the client sends again"},
		{name: "forgotten-without-guard", promises: "P2 P3", rare: true,
			what: "forgets an incident that is over without looking whether it is still that one",
			lua:  edit("item.over ~= '' and h.uid == item.over", "item.over ~= ''")},
		{name: "storm-id-not-shared", promises: "P2 P3",
			what: "each request that meets a storm makes one of its own",
			lua:  edit("local storm = openStorm()", "local storm = openStorm()\n  if storm ~= '' then storm = call.newStorm end")},
		{name: "members-written-later", promises: "P1 P5", rare: true,
			what: "acknowledges members while their page is being written",
			wire: func(r *replica) { r.intake.Pages = &eager{Pages: r.intake.Pages, r: r} }},
	}
}

// edit replaces a part of the scripts; some script must have it.
func edit(from, to string) func(string) string {
	return func(script string) string { return strings.ReplaceAll(script, from, to) }
}

// randomNames renames what is created.
type randomNames struct {
	*memory.Cluster
	mu sync.Mutex
	n  int
}

func (c *randomNames) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	c.mu.Lock()
	c.n++
	n := c.n
	c.mu.Unlock()
	o.SetName(fmt.Sprintf("%s-%d", o.GetName(), n))
	return c.Cluster.Create(ctx, o, opts...)
}

// countsFirst settles what it has just decided, with the object that there will be.
type countsFirst struct{ intake.Windows }

func (c countsFirst) Decide(ctx context.Context, g window.Group, r window.Request, items []window.Item) ([]window.Decision, []window.Counts, error) {
	decisions, counts, err := c.Windows.Decide(ctx, g, r, items)
	if err != nil || counts != nil {
		return decisions, counts, err
	}
	var early []window.Settled
	for i, d := range decisions {
		if d.Kind == window.Open {
			name := remediation.ObjectName(items[i].Fingerprint, d.Incarnation+1)
			early = append(early, window.Settled{Item: items[i], Object: window.Object{UID: "not-there-yet", Name: name, Namespace: "default"}, Incarnation: d.Incarnation + 1})
		}
	}
	if len(early) > 0 {
		if _, err := c.Settle(ctx, g, r.ID+"-early", early); err != nil {
			return nil, nil, err
		}
	}
	return decisions, nil, nil
}

// cached reads RemediationRequests from a copy that follows at every fourth write.
type cached struct {
	*memory.Cluster
	seen   []v1alpha1.RemediationRequest
	writes int
}

func (c *cached) wrote(err error) error {
	if c.writes++; c.writes%4 == 0 {
		c.seen = c.Requests()
	}
	return err
}

func (c *cached) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	return c.wrote(c.Cluster.Create(ctx, o, opts...))
}

func (c *cached) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	rr, ok := into.(*v1alpha1.RemediationRequest)
	if !ok {
		return c.Cluster.Get(ctx, key, into, opts...)
	}
	for i := range c.seen {
		if c.seen[i].Name == key.Name {
			c.seen[i].DeepCopyInto(rr)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (c *cached) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if list, ok := into.(*v1alpha1.RemediationRequestList); ok {
		var o client.ListOptions
		o.ApplyOptions(opts)
		for _, rr := range c.seen {
			if o.LabelSelector.Matches(labels.Set(rr.Labels)) {
				list.Items = append(list.Items, *rr.DeepCopy())
			}
		}
		return nil
	}
	return c.Cluster.List(ctx, into, opts...)
}

// eager joins members without waiting for their page.
type eager struct {
	intake.Pages
	r *replica
}

func (e *eager) Join(ctx context.Context, id string, ensure remediation.Ensure, incidents []remediation.Incident) (remediation.Joined, error) {
	storm, own, err := ensure(ctx, incidents)
	if err == nil {
		e.r.world.requests.Go(func() {
			_, _ = e.Pages.Join(context.WithoutCancel(ctx), id, ensure, incidents) // as if nobody asked
		})
	}
	return remediation.Joined{Found: storm, Own: own, Members: 1}, err
}
