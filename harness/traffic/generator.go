package traffic

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Input is all that a generator's output depends on besides its profile.
type Input struct {
	Seed uint64
	// Base is the startsAt of the first firing; the n-th alert that is made has n ms more.
	Base time.Time
	// Name begins the ids of the requests; Path is where they go, Namespace a label.
	Name, Path, Namespace string
}

// Generator makes requests from a profile: the same profile and input give the same bytes
// in the same order, on every machine. It is not safe for concurrent use.
type Generator struct {
	profile Profile
	in      Input
	random  *rand.Rand
	kinds   []share
	groups  []*group
	// fresh, firing and known are the groups, in order, that have an alert which was not
	// sent yet, which fires, which was sent.
	fresh, firing, known []int
	byGroup, byAlert     zipf
	made, requests       int
	padding              string
}

// group is the state of one group; its alerts are numbered in the order of their first
// firing.
type group struct {
	// starts[i] is the startsAt of alert i's latest firing.
	starts []time.Time
	// firing are the numbers of those that fire, in order.
	firing []int
}

// kind of an alert within a load.
type kind int

const (
	fresh kind = iota
	duplicate
	refire
	resolve
)

// share counts how far a kind is behind.
type share struct {
	kind kind
	of   float64
	owed float64
}

// NewGenerator fails when the profile is not valid.
func NewGenerator(p Profile, in Input) (*Generator, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("the profile of load %q: %w", in.Name, err)
	}
	p = p.filled()
	g := &Generator{profile: p, in: in, random: rand.New(rand.NewPCG(in.Seed, 0x73746f726d)),
		byGroup: newZipf(p.Skew.Groups, p.Groups), byAlert: newZipf(p.Skew.Fingerprints, p.Cardinality)}
	rest := 1 - p.Duplicates - p.Refires - p.Resolves
	g.kinds = []share{{kind: fresh, of: rest}, {kind: duplicate, of: p.Duplicates}, {kind: refire, of: p.Refires}, {kind: resolve, of: p.Resolves}}
	for i := range p.Groups {
		g.groups, g.fresh = append(g.groups, &group{}), append(g.fresh, i)
	}
	// Not one letter over and over: a server that compresses must not get it for nothing.
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var text strings.Builder
	for range p.Padding.Max {
		text.WriteByte(letters[g.random.IntN(len(letters))])
	}
	g.padding = text.String()
	return g, nil
}

// Next makes the next request; there is always one.
func (g *Generator) Next() (Request, error) {
	alerts := make([]Alert, g.profile.Batch)
	for i := range alerts {
		alerts[i] = g.alert()
	}
	payload := NewPayload(alerts)
	body, err := payload.Encode()
	if err != nil {
		return Request{}, err
	}
	g.requests++
	return Request{ID: fmt.Sprintf("%s-%d/1", g.in.Name, g.requests), Name: g.in.Name, Method: http.MethodPost,
		Path: g.in.Path, Body: body, Alerts: payload.Seen()}, nil
}

// alert decides on a kind and on the alert that it happens to.
func (g *Generator) alert() Alert {
	now := g.in.Base.Add(time.Duration(g.made) * time.Millisecond)
	g.made++
	switch g.possible(g.due()) {
	case fresh:
		n := g.pick(g.fresh)
		gr := g.groups[n]
		i := len(gr.starts)
		gr.starts, gr.firing = append(gr.starts, now), append(gr.firing, i)
		g.settle(n)
		return g.render(n, i, "firing", now)
	case duplicate:
		n, i := g.pickFiring()
		return g.render(n, i, "firing", now)
	case refire:
		n := g.pick(g.known)
		gr := g.groups[n]
		i := g.byAlert.draw(g.random, len(gr.starts))
		gr.starts[i] = now
		if at, found := slices.BinarySearch(gr.firing, i); !found {
			gr.firing = slices.Insert(gr.firing, at, i)
		}
		g.settle(n)
		return g.render(n, i, "firing", now)
	default:
		n, i := g.pickFiring()
		gr := g.groups[n]
		at, _ := slices.BinarySearch(gr.firing, i)
		gr.firing = slices.Delete(gr.firing, at, at+1)
		g.settle(n)
		return g.render(n, i, "resolved", now)
	}
}

// due picks the kind that is furthest behind its share.
func (g *Generator) due() kind {
	best := 0
	for i := range g.kinds {
		g.kinds[i].owed += g.kinds[i].of
		if g.kinds[i].owed > g.kinds[best].owed {
			best = i
		}
	}
	g.kinds[best].owed--
	return g.kinds[best].kind
}

// possible is the kind itself or what it falls back to.
func (g *Generator) possible(k kind) kind {
	if len(g.known) == 0 {
		return fresh
	}
	if k == fresh && len(g.fresh) == 0 {
		k = duplicate
	}
	if (k == duplicate || k == resolve) && len(g.firing) == 0 {
		k = refire
	}
	return k
}

func (g *Generator) pick(groups []int) int { return groups[g.byGroup.draw(g.random, len(groups))] }

func (g *Generator) pickFiring() (n, i int) {
	n = g.pick(g.firing)
	firing := g.groups[n].firing
	return n, firing[g.byAlert.draw(g.random, len(firing))]
}

// settle puts a group that changed into the right lists.
func (g *Generator) settle(n int) {
	gr := g.groups[n]
	g.fresh = member(g.fresh, n, len(gr.starts) < g.profile.Cardinality)
	g.firing = member(g.firing, n, len(gr.firing) > 0)
	g.known = member(g.known, n, len(gr.starts) > 0)
}

// member puts n into the sorted list or takes it out.
func member(list []int, n int, in bool) []int {
	at, found := slices.BinarySearch(list, n)
	switch {
	case in && !found:
		return slices.Insert(list, at, n)
	case !in && found:
		return slices.Delete(list, at, at+1)
	default:
		return list
	}
}

func (g *Generator) render(n, i int, status string, now time.Time) Alert {
	labels := map[string]string{"severity": "critical"}
	if g.in.Namespace != "" {
		labels["namespace"] = g.in.Namespace
	}
	maps.Copy(labels, g.profile.Labels)
	labels["alertname"], labels["pod"] = g.profile.Alertname+strconv.Itoa(n+1), "pod-"+strconv.Itoa(i+1)
	a := Alert{Status: status, Labels: labels, Annotations: map[string]string{}, StartsAt: g.groups[n].starts[i]}
	if status == "resolved" {
		a.EndsAt = now
	}
	if p := g.profile.Padding; p.Max > 0 {
		a.Annotations["padding"] = g.padding[:p.Min+g.random.IntN(p.Max-p.Min+1)]
	}
	return a
}
