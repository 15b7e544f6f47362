package remediation

import (
	"context"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/crash"
	"github.com/stormproof/stormproof/gateway/panics"
)

// Pages keeps the members of storms in StormPages. Requests that arrive together share
// one write (group commit): a member is durable when Join returns.
//
// Any number of processes may append to one storm. A page grows only at its end, and only
// by a write that carries the resource version that was read, so a writer whose picture is
// stale is refused and reads everything again; full pages never change. Hence a
// fingerprint never stands in two places, even when it is sent to two replicas.
type Pages struct {
	client client.Client
	caller Caller
	// timeout bounds one group commit, whoever waits for it.
	timeout time.Duration
	clock   clock.Clock
	// Committed, if not nil, is told of every group commit that succeeded: how many members
	// it was asked to make durable, and whether it opened the storm. Set it before use.
	Committed func(members int, opened bool)

	mu    sync.Mutex
	books map[string]*book
}

// NewPages returns an empty set of books.
func NewPages(c client.Client, caller Caller, timeout time.Duration, now clock.Clock) *Pages {
	return &Pages{client: c, caller: caller, timeout: timeout, clock: now, books: map[string]*book{}}
}

// mostBooks bounds how many storms are remembered; a forgotten one is read again.
const mostBooks = 64

// book is what this process knows of one storm's pages.
type book struct {
	mu      sync.Mutex
	waiting []*join
	busy    bool

	// The rest belongs to the writer that set busy.
	loaded bool
	uid    string
	known  map[string]time.Time // startsAt by fingerprint
	last   *v1alpha1.StormPage
	// number is the highest that is taken, be it by a page that a deleted storm of the same
	// name left.
	number int32
}

// Ensure returns the storm's object, and makes it where there is none; own are those of the
// incidents that are none of its members, because they have an open object of their own.
type Ensure func(ctx context.Context, incidents []Incident) (found Found, own map[string]*v1alpha1.RemediationRequest, err error)

// join is one request's members, waiting to be durable.
type join struct {
	ensure    Ensure
	incidents []Incident
	done      chan joined
	// turn tells a waiting join that it writes the next batch.
	turn chan struct{}
}

type joined struct {
	Joined
	err error
}

// Joined is a storm that incidents are members of now.
type Joined struct {
	Found
	// Members is how many the storm has.
	Members int
	// Former holds those of the incidents that were members before this call, by
	// fingerprint: the startsAt that they joined with.
	Former map[string]time.Time
	// Own holds those of the incidents that are no members, with their own open objects.
	Own map[string]*v1alpha1.RemediationRequest
}

// Join makes the incidents members of the storm with this id; those that are members
// already stay so. The storm's object is looked at live once for each group commit, by one
// request's ensure; Found.Created is true for that request only.
func (p *Pages) Join(ctx context.Context, id string, ensure Ensure, incidents []Incident) (Joined, error) {
	j := &join{ensure: ensure, incidents: incidents, done: make(chan joined, 1), turn: make(chan struct{}, 1)}
	b := p.book(id)
	b.mu.Lock()
	b.waiting = append(b.waiting, j)
	lead := !b.busy
	b.busy = true
	b.mu.Unlock()
	if lead {
		j.turn <- struct{}{}
	}
	select {
	case out := <-j.done:
		return out.Joined, out.err
	case <-j.turn:
		p.lead(ctx, b)
		out := <-j.done
		return out.Joined, out.err
	case <-ctx.Done():
		p.leave(ctx, b, j)
		return Joined{}, &UnavailableError{Reason: Timeout, Doing: "adding members to the storm", Err: ctx.Err()}
	}
}

// leave takes a join out whose request has ended; a turn that it was given is passed on.
func (p *Pages) leave(ctx context.Context, b *book, j *join) {
	b.mu.Lock()
	b.waiting = slices.DeleteFunc(b.waiting, func(x *join) bool { return x == j })
	b.mu.Unlock()
	select {
	case <-j.turn:
		p.lead(ctx, b)
	default:
	}
}

func (p *Pages) book(id string) *book {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.books[id]
	if b == nil {
		for old, candidate := range p.books {
			if len(p.books) < mostBooks {
				break
			}
			if !candidate.inUse() {
				delete(p.books, old)
			}
		}
		b = &book{}
		p.books[id] = b
	}
	return b
}

func (b *book) inUse() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.busy
}

// lead writes once for everybody who waits, and then hands on the turn: whoever wrote on
// for others would starve its own request.
func (p *Pages) lead(ctx context.Context, b *book) {
	b.mu.Lock()
	batch := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	if len(batch) > 0 {
		p.commit(ctx, b, batch)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = len(b.waiting) > 0
	if b.busy {
		b.waiting[0].turn <- struct{}{}
	}
}

func (p *Pages) commit(ctx context.Context, b *book, batch []*join) {
	var incidents []Incident
	for _, j := range batch {
		incidents = append(incidents, j.incidents...)
	}
	// Others wait for this write, so it must not end with the leader's own request.
	writeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	out, err := p.admit(writeCtx, b, batch[0].ensure, incidents)
	if err == nil && p.Committed != nil {
		p.Committed(len(incidents)-len(out.Own), out.Created)
	}
	for _, j := range batch {
		j.done <- joined{out, err}
		out.Created = false
	}
}

// admit makes members of those who are none yet and have no object of their own.
func (p *Pages) admit(ctx context.Context, b *book, ensure Ensure, incidents []Incident) (out Joined, err error) {
	defer func() { b.loaded = b.loaded && err == nil }()
	defer panics.Caught(&err) // others wait for this write
	if out.Found, out.Own, err = ensure(ctx, incidents); err != nil || out.Object == nil {
		return out, err
	}
	if uid := string(out.Object.UID); uid != b.uid {
		b.uid, b.loaded = uid, false
	}
	var members []v1alpha1.Member
	for _, i := range incidents {
		if out.Own[i.Fingerprint] == nil {
			members = append(members, i.member())
		}
	}
	out.Former, err = p.append(ctx, b, out.Object, members)
	out.Members = len(b.known)
	return out, err
}

// append adds the members that are not there yet, page by page, and returns those that are.
func (p *Pages) append(ctx context.Context, b *book, storm *v1alpha1.RemediationRequest, members []v1alpha1.Member) (former map[string]time.Time, err error) {
	for {
		if !b.loaded {
			if err := p.load(ctx, b, storm); err != nil {
				return nil, err
			}
		}
		if former == nil {
			former = b.among(members)
		}
		var missing []v1alpha1.Member
		seen := map[string]bool{}
		for _, m := range members {
			if _, known := b.known[m.Fingerprint]; !known && !seen[m.Fingerprint] {
				seen[m.Fingerprint] = true
				missing = append(missing, m)
			}
		}
		if len(missing) == 0 {
			return former, nil
		}
		stale, err := p.write(ctx, b, storm, missing)
		if err != nil || stale {
			b.loaded = false
		}
		if err != nil {
			return nil, err
		}
	}
}

// among are those of the members that the book knows.
func (b *book) among(members []v1alpha1.Member) map[string]time.Time {
	out := map[string]time.Time{}
	for _, m := range members {
		if since, known := b.known[m.Fingerprint]; known {
			out[m.Fingerprint] = since
		}
	}
	return out
}

// write fills the last page, or begins the next. stale says that somebody else wrote first.
func (p *Pages) write(ctx context.Context, b *book, storm *v1alpha1.RemediationRequest, missing []v1alpha1.Member) (stale bool, err error) {
	page, verb := p.next(b, storm)
	missing = missing[:room(page.Spec.Members, missing)]
	page.Spec.Members = append(page.Spec.Members, missing...)
	page.Annotations = map[string]string{v1alpha1.AnnotationJoinedAt: stamp(p.clock.Now())}
	err = p.caller.Do(ctx, verb, "stormpages", func(ctx context.Context) error {
		attempt := page.DeepCopy()
		var err error
		if verb == "create" {
			err = p.client.Create(ctx, attempt)
		} else {
			err = p.client.Update(ctx, attempt)
		}
		if err == nil {
			page = attempt
		}
		return err
	})
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err) && verb == "update":
		return true, nil
	case err != nil:
		return false, classify(err, verb, "adding members to the storm", storm.Namespace)
	}
	crash.Point(crash.PageWritten)
	b.last, b.number = page, max(b.number, page.Spec.Number)
	for _, m := range missing {
		b.known[m.Fingerprint] = m.StartsAt.Time
	}
	return false, nil
}

// next is the page that grows.
func (p *Pages) next(b *book, storm *v1alpha1.RemediationRequest) (page *v1alpha1.StormPage, verb string) {
	if b.last != nil && !full(b.last.Spec.Members) {
		return b.last.DeepCopy(), "update"
	}
	number, yes := b.number+1, true
	return &v1alpha1.StormPage{
		ObjectMeta: metav1.ObjectMeta{
			Name: PageName(storm.Name, number), Namespace: storm.Namespace,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelStorm: storm.Name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "RemediationRequest",
				Name: storm.Name, UID: storm.UID, Controller: &yes}},
		},
		Spec: v1alpha1.StormPageSpec{Storm: storm.Name, Number: number},
	}, "create"
}

// load reads all pages of a storm live.
func (p *Pages) load(ctx context.Context, b *book, storm *v1alpha1.RemediationRequest) error {
	var list v1alpha1.StormPageList
	err := p.caller.Do(ctx, "list", "stormpages", func(ctx context.Context) error {
		return p.client.List(ctx, &list, client.InNamespace(storm.Namespace), client.MatchingLabels{v1alpha1.LabelStorm: storm.Name})
	})
	if err != nil {
		return classify(err, "list", "reading the storm's members", storm.Namespace)
	}
	b.known, b.last, b.number, b.loaded = map[string]time.Time{}, nil, 0, true
	for i := range list.Items {
		page := &list.Items[i]
		b.number = max(b.number, page.Spec.Number)
		if !OwnedBy(page, storm) {
			continue
		}
		for _, m := range page.Spec.Members {
			b.known[m.Fingerprint] = m.StartsAt.Time
		}
		if b.last == nil || page.Spec.Number > b.last.Spec.Number {
			b.last = page
		}
	}
	return nil
}
