package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/intake"
)

// violation is a promise that a schedule broke.
type violation struct{ promise, what string }

func (v violation) String() string { return v.promise + ": " + v.what }

func broken(promise, format string, args ...any) *violation {
	return &violation{promise, fmt.Sprintf(format, args...)}
}

// books hold what really happened, as nobody in the world knows it.
type books struct {
	w            *world
	objects      map[string]*life // by UID
	order        []string         // of their UIDs, by creation
	counted      []counted
	acknowledged []*attempt
	crashed      bool
	slow         *violation
	// forgot is the last request that had begun when Redis forgot everything; 0 for never.
	forgot int
	// places in storms that were ever written, by storm and fingerprint. A stray was written
	// after Redis had forgotten, by a request that had begun before: what the windows had
	// given it, they no longer knew.
	places map[string]place
}

type stray bool

// place is a member's in a storm's pages: the request that wrote it, 0 for none that is known.
type place struct {
	by    int
	stray stray
	// startsAt, in ms, is the firing that it joined with.
	startsAt int64
}

// life is an object's.
type life struct {
	rr                   *v1alpha1.RemediationRequest
	made, deleted, ended time.Time
	// freed is the last request that had begun when the windows heard of the deletion; -1 for not yet.
	freed int
	// by is the request that made it, 0 for none that is known.
	by    int
	stray stray
}

// counted is one alert that a script counted on an object. Where safe is set it stands for a
// loss: of all that Redis knew, or of what a crashed replica was about to write into status.
// Safe is what each status showed then.
type counted struct {
	attempt          *attempt
	fingerprint, uid string
	episodes         []int64
	at               time.Time
	safe             map[string]v1alpha1.RemediationRequestStatus
	crash            bool
	// before: requests up to this number had begun.
	before int
	// silent ones record a resolution: nothing is counted, but the object is on record again.
	silent bool
}

func newBooks(w *world) *books {
	return &books{w: w, objects: map[string]*life{}, places: map[string]place{}}
}

// writes notes new objects, and members of storms.
func (b *books) writes(a *attempt, o client.Object) {
	by := 0
	if a != nil {
		by = a.n
	}
	is := stray(a != nil && by <= b.forgot)
	switch o := o.(type) {
	case *v1alpha1.RemediationRequest:
		if b.objects[string(o.UID)] == nil {
			b.objects[string(o.UID)] = &life{rr: o.DeepCopy(), made: time.Now(), freed: -1, by: by, stray: is}
			b.order = append(b.order, string(o.UID))
		}
	case *v1alpha1.StormPage:
		for _, m := range o.Spec.Members {
			if _, known := b.places[owner(o)+" "+m.Fingerprint]; !known {
				b.places[owner(o)+" "+m.Fingerprint] = place{by, is, m.StartsAt.UnixMilli()}
			}
		}
	}
}

func (b *books) deletes(rr *v1alpha1.RemediationRequest) {
	b.objects[string(rr.UID)].deleted = time.Now()
}

// frees notes that the windows have heard of a deletion.
func (b *books) frees(rr *v1alpha1.RemediationRequest) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.objects[string(rr.UID)].freed = b.w.n
}

func (b *books) ends(rr *v1alpha1.RemediationRequest) { b.objects[string(rr.UID)].ended = time.Now() }

// loses notes that Redis forgets, or that a replica crashes, and what is safe in Kubernetes.
func (b *books) loses(crash bool) {
	safe := map[string]v1alpha1.RemediationRequestStatus{}
	for _, rr := range b.w.cluster.Requests() {
		safe[string(rr.UID)] = rr.Status
	}
	b.counted = append(b.counted, counted{safe: safe, crash: crash, before: b.w.n})
	if !crash {
		b.forgot = b.w.n
	}
}

// script notes what a script that was applied has counted.
func (b *books) script(a *attempt, call scriptCall, reply string) {
	var out struct {
		Counted   bool `json:"counted"`
		Decisions []struct {
			UID string `json:"uid"`
		} `json:"d"`
		Counts []struct{} `json:"c"`
	}
	if err := json.Unmarshal([]byte(reply), &out); err != nil || a == nil {
		return
	}
	for i, item := range call.Items {
		uid := item.UID
		if out.Decisions != nil {
			if !out.Counted {
				return
			}
			uid = out.Decisions[i].UID
		}
		if len(out.Counts) > 0 {
			b.counted = append(b.counted, counted{attempt: a, fingerprint: item.Fingerprint, uid: uid, episodes: item.Episodes,
				at: time.Now(), silent: len(item.Episodes) == 0})
		}
	}
}

// took notes how long a request was under way.
func (b *books) took(a *attempt, d time.Duration) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	// Who leads a group commit sees it through for all that wait, which may take as long again.
	if limit := 2*b.w.config.Limits.RequestTimeout + 2*time.Second; d > limit && b.slow == nil {
		b.slow = broken("P6", "request %d ended after %s, at most %s are allowed", a.n, d, limit)
	}
}

// newest is the newest firing of an alert that was acknowledged, -1 for none.
func (b *books) newest(letter string) int {
	out := -1
	for _, a := range b.acknowledged {
		for _, x := range a.of.alerts {
			for firing := range resolved {
				if x.Labels["pod"] == letter && !x.Resolved && x.StartsAt.Equal(b.w.alert(letter, firing).StartsAt) {
					out = max(out, firing)
				}
			}
		}
	}
	return out
}

// members are the fingerprints in the pages of storms, by UID: a storm that was deleted leaves
// pages to one of the same name for a while, if they were written just then.
func (b *books) members() (of map[string][]string) {
	of = map[string][]string{}
	var list v1alpha1.StormPageList
	_ = b.w.cluster.List(b.w.replicas[0].ctx, &list) // fails for other kinds only
	for _, page := range list.Items {
		for _, m := range page.Spec.Members {
			of[owner(&page)] = append(of[owner(&page)], m.Fingerprint)
		}
	}
	return of
}

func owner(page *v1alpha1.StormPage) string { return string(page.OwnerReferences[0].UID) }

// instant judges what must be true at every moment. Strays are left out.
func (b *books) instant() *violation {
	members := b.members()
	open := map[string]string{} // by fingerprint: where it is open
	requests := b.w.cluster.Requests()
	at := func(fingerprint, place string) *violation {
		if other := open[fingerprint]; other != "" {
			return broken("P2", "%s is open twice: %s and %s", b.w.letter(fingerprint), other, place)
		}
		open[fingerprint] = place
		return nil
	}
	for i := range requests {
		rr := &requests[i]
		if rr.Status.Phase.Terminal() || b.again(b.objects[string(rr.UID)]) {
			continue
		}
		list := []string{rr.Spec.Fingerprint}
		if rr.Spec.Storm != nil {
			list = members[string(rr.UID)]
		} else if b.objects[string(rr.UID)].stray {
			continue
		}
		for _, fingerprint := range list {
			if b.places[string(rr.UID)+" "+fingerprint].stray {
				continue
			}
			if v := at(fingerprint, b.w.object(rr)); v != nil {
				return v
			}
		}
	}
	b.w.mu.Lock()
	slow := b.slow
	b.w.mu.Unlock()
	if slow != nil {
		return slow
	}
	return b.bounded()
}

// bounded judges P3: objects that exist and were made within one window of their group,
// less the time that a creation may be late.
func (b *books) bounded() *violation {
	window := b.w.config.Storm.Rules[0].Window - b.w.config.Limits.RequestTimeout - late
	made := map[string][]time.Time{}
	for _, uid := range b.order {
		l := b.objects[uid]
		if !l.deleted.IsZero() || bool(l.stray) || b.again(l) {
			continue
		}
		group := l.rr.Labels[v1alpha1.LabelGroup]
		made[group] = append(made[group], l.made)
		list := made[group]
		if n := len(list); n > threshold && list[n-1].Sub(list[n-1-threshold]) < window {
			return broken("P3", "%d objects of one group within %s, at most %d are allowed", threshold+1, list[n-1].Sub(list[n-1-threshold]), threshold)
		}
	}
	return nil
}

// again says that a request made an object once more, which had begun before the windows heard
// that a user had deleted it.
func (b *books) again(l *life) bool {
	for _, other := range b.objects {
		if other != l && other.rr.Spec.Fingerprint == l.rr.Spec.Fingerprint && !other.deleted.IsZero() && !l.made.Before(other.made) && (other.freed < 0 || l.by <= other.freed) {
			return true
		}
	}
	return false
}

// final judges what must be true when all is quiet.
func (b *books) final() *violation {
	for _, a := range b.acknowledged {
		if v := b.visible(a); v != nil {
			return v
		}
	}
	requests := b.w.cluster.Requests()
	for i := range requests {
		if v := b.true(&requests[i]); v != nil {
			return v
		}
	}
	return nil
}

// visible judges P1: each alert of an acknowledged request was counted on the object that
// its verdict names, which is its own or a storm that holds it, was there and was not over.
func (b *books) visible(a *attempt) *violation {
	members := b.members()
	for i, x := range a.of.alerts {
		if x.Resolved {
			continue
		}
		fp := b.w.config.Dedup.AlertIdentity().Fingerprint(x)
		who := fmt.Sprintf("%s of request %d", b.w.letter(fp), a.n)
		verdict := a.verdicts[slices.IndexFunc(a.verdicts, func(v intake.Verdict) bool { return v.Index == i })]
		k := len(b.counted) - 1
		for k >= 0 && (b.counted[k].attempt != a || b.counted[k].fingerprint != fp || b.counted[k].silent) {
			k--
		}
		if k < 0 {
			return broken("P1", "%s was acknowledged as %s and counted nowhere", who, verdict.Verdict)
		}
		l := b.objects[b.counted[k].uid]
		switch {
		case l == nil:
			return broken("P1", "%s was acknowledged as %s of an object that never was", who, verdict.Verdict)
		case l.rr.Name != verdict.Name:
			return broken("P1", "%s was acknowledged as %s of %s and counted on %s", who, verdict.Verdict, verdict.Name, l.rr.Name)
		case l.freed >= 0 && l.freed < a.n:
			return broken("P1", "%s was acknowledged as %s of %s, which a user had deleted, and the windows had heard of it", who, verdict.Verdict, b.w.object(l.rr))
		case l.rr.Spec.Storm == nil && l.rr.Spec.Fingerprint != fp:
			return broken("P1", "%s was acknowledged as %s of %s", who, verdict.Verdict, b.w.object(l.rr))
		case l.rr.Spec.Storm != nil && l.deleted.IsZero() && !slices.Contains(members[string(l.rr.UID)], fp):
			return broken("P1", "%s was acknowledged as %s of %s, whose pages do not hold it", who, verdict.Verdict, b.w.object(l.rr))
		}
		if v := b.notPast(a, k, l, who); v != nil {
			return v
		}
	}
	return nil
}

// notPast: an incident that was terminal, and not seen for a window, before the request
// began takes no further alert. Every member keeps a storm's incident in sight.
func (b *books) notPast(a *attempt, k int, l *life, who string) *violation {
	if l.ended.IsZero() || !l.ended.Before(a.began) {
		return nil
	}
	seen := l.made
	for _, c := range b.counted[:k] {
		if c.uid == b.counted[k].uid && c.attempt != a && !c.silent {
			seen = c.at
		}
	}
	if idle := a.began.Sub(seen); idle > b.w.config.Dedup.Window+5*time.Second {
		return broken("P1", "%s was counted on %s, which was completed and had not been seen for %s", who, b.w.object(l.rr), idle)
	}
	return nil
}

// bounds are what a counter may show: what is certain, and what is possible.
type bounds struct{ least, most int64 }

func (x bounds) hold(n int64) bool { return x.least <= n && n <= x.most }

// true judges P5 on one object's status.
func (b *books) true(rr *v1alpha1.RemediationRequest) *violation {
	deliveries, occurrences, renotifications, behind := b.bounds(string(rr.UID))
	s := rr.Status
	if !deliveries.hold(s.Deliveries) {
		return broken("P5", "deliveries of %s are %d, must lie between %d (acknowledged) and %d (counted)", b.w.object(rr), s.Deliveries, deliveries.least, deliveries.most)
	}
	if !occurrences.hold(s.Occurrences) {
		return broken("P5", "occurrences of %s are %d, must lie between %d (acknowledged) and %d (counted)", b.w.object(rr), s.Occurrences, occurrences.least, occurrences.most)
	}
	if !renotifications.hold(s.Renotifications) {
		return broken("P5", "renotifications of %s are %d, must lie between %d (acknowledged) and %d (counted)", b.w.object(rr), s.Renotifications, renotifications.least, renotifications.most)
	}
	if n := len(b.members()[string(rr.UID)]); rr.Spec.Storm != nil && s.Members != int64(n) && (!behind || s.Members > int64(n)) {
		return broken("P5", "status of %s counts %d members, its pages hold %d", b.w.object(rr), s.Members, n)
	}
	return nil
}

// bounds go through the counts of an object in their order. The most is what scripts have
// counted, each attempt once; the least is what was acknowledged of it. What was counted and
// in no status is lost with Redis or in a crash, and an older firing than the newest is taken
// for known; so are firings up to the one that a member joined with, where its page was written
// before a loss and it was not counted by then. A request that had begun before a loss may count
// a firing again. Behind says that something may be missing. After a loss any
// delivery may be a renotification, or none.
func (b *books) bounds(uid string) (deliveries, occurrences, renotifications bounds, behind bool) {
	type delivered struct {
		attempt     *attempt
		fingerprint string
	}
	type episode struct {
		fingerprint string
		startsAt    int64
	}
	once, seen, certain := map[delivered]bool{}, map[episode]bool{}, map[episode]bool{}
	newest, lost, before := map[string]int64{}, false, 0
	uncounted, last := map[string]bool{}, map[string]time.Time{}
	var floor struct{ deliveries, occurrences int64 }
	for i, c := range b.counted {
		if c.safe != nil {
			if !c.crash {
				before = c.before
			}
			// After a crash the next count brings all that Redis knows into status.
			if !c.crash || b.forgotten(uid, i) {
				lost, behind = true, true
				deliveries.least = min(deliveries.least, c.safe[uid].Deliveries)
				renotifications.least = 0
				occurrences.least = min(occurrences.least, c.safe[uid].Occurrences)
			}
			// A request that Redis had told of the object, and that counts after the loss, begins
			// at nothing: the status stays as it was until the new count has overtaken it.
			if next := b.nextOn(uid, i); !c.crash && next != nil && next.attempt.n <= c.before {
				floor.deliveries, floor.occurrences = max(floor.deliveries, deliveries.least), max(floor.occurrences, occurrences.least)
				deliveries.least, occurrences.least = 0, 0
			}
			continue
		}
		if c.silent {
			continue
		}
		if _, had := newest[c.fingerprint]; c.uid != uid && had && b.astray(c.fingerprint) {
			// Its record goes to the other place, and begins at nothing if it comes back.
			lost, behind = true, true
			floor.deliveries, floor.occurrences = max(floor.deliveries, deliveries.least), max(floor.occurrences, occurrences.least)
			deliveries.least, occurrences.least, renotifications.least = 0, 0, 0
			maps.DeleteFunc(seen, func(e episode, _ bool) bool { return e.fingerprint == c.fingerprint })
		}
		if c.uid != uid {
			continue
		}
		// Its keys have expired while the incident was held: that is a loss as well.
		lost = lost || !last[c.fingerprint].IsZero() && c.at.Sub(last[c.fingerprint]) >= b.ttl()
		last[c.fingerprint] = c.at
		acked := c.attempt.of.acked == c.attempt
		_, had := newest[c.fingerprint]
		at, member := b.places[uid+" "+c.fingerprint]
		uncounted[c.fingerprint] = uncounted[c.fingerprint] || member && !had && at.by <= before
		if d := (delivered{c.attempt, c.fingerprint}); !once[d] {
			once[d] = true
			deliveries.most++
			if acked {
				deliveries.least++
			}
			again := !slices.ContainsFunc(c.episodes, func(e int64) bool { return !seen[episode{c.fingerprint, e}] })
			if again || lost {
				renotifications.most++
			}
			if again && acked && !behind {
				renotifications.least++
			}
		}
		for _, e := range c.episodes {
			ep := episode{c.fingerprint, e}
			if !seen[ep] {
				seen[ep] = true
				occurrences.most++
			} else if c.attempt.n <= before {
				occurrences.most++
			}
			if acked && !certain[ep] {
				certain[ep] = true
				if (!uncounted[c.fingerprint] || e > at.startsAt) && (!lost || e >= newest[c.fingerprint]) {
					occurrences.least++
				}
			}
			newest[c.fingerprint] = max(newest[c.fingerprint], e)
		}
	}
	deliveries.least, occurrences.least = max(deliveries.least, floor.deliveries), max(occurrences.least, floor.occurrences)
	return deliveries, occurrences, renotifications, behind
}

// forgotten says that nothing was counted on an object after the i-th entry, or only when its
// keys had expired since the last time before.
func (b *books) forgotten(uid string, i int) bool {
	var last time.Time
	for _, c := range b.counted[:i] {
		if c.uid == uid {
			last = c.at
		}
	}
	for _, c := range b.counted[i:] {
		if c.uid == uid && !c.silent {
			return c.at.Sub(last) >= b.ttl()
		}
	}
	return true
}

// ttl is how long a key lives that nobody writes.
func (b *books) ttl() time.Duration {
	return 2*max(b.w.config.Dedup.Window, b.w.config.Storm.Rules[0].Window) + time.Minute
}

// astray says that a loss of Redis left a fingerprint with a place too many.
func (b *books) astray(fingerprint string) bool {
	for at, p := range b.places {
		if bool(p.stray) && strings.HasSuffix(at, " "+fingerprint) {
			return true
		}
	}
	for _, l := range b.objects {
		if bool(l.stray) && l.rr.Spec.Fingerprint == fingerprint {
			return true
		}
	}
	return false
}

// nextOn is the first count on an object after the i-th entry; nil for none.
func (b *books) nextOn(uid string, i int) *counted {
	for k := i + 1; k < len(b.counted); k++ {
		if b.counted[k].uid == uid {
			return &b.counted[k]
		}
	}
	return nil
}
