package judge

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

// evidence is a history, sorted and indexed for judging.
type evidence struct {
	begin    history.Begin
	events   []history.Event
	requests []*request
	entries  []*entry
	// objects by UID, in the order in which they were first seen.
	objects []*object
	pages   []history.Event
	// down are the spans of Seq in which the system was being restarted.
	down []span
	// commands are what the scenario itself did to Redis.
	commands []string
	// opaque is set when a body that the harness cannot read may have taken effect.
	opaque bool

	byName map[string][]*object
	// creators are the entries that were told that they had opened the object of a name.
	creators map[string][]*entry
	// incidents and groups index what concerns an own object and a storm.
	incidents, groups map[string]*track
	// work counts looks at candidates; its test keeps judging linear.
	work int
}

type span struct{ from, to int64 }

// request with its answer, nil when there is none in the history.
type request struct {
	history.Request
	event  history.Event
	answer *history.Answer
	end    history.Event
}

func (r *request) acked() bool { return r.answer != nil && r.answer.Acked() }

// maybe reports whether the request may have taken effect without our being told: no answer
// came, or a 5xx, which can follow on half of the work.
func (r *request) maybe() bool {
	return r.answer == nil || r.answer.Status == 0 && !r.answer.Barred || r.answer.Status >= 500
}

// entry is one alert of one request.
type entry struct {
	history.Alert
	request  *request
	identity string
	group    string
	// verdict is nil unless the answer has one for this index.
	verdict *history.Verdict
}

// acked reports whether the sender was told that this alert is taken care of.
func (x *entry) acked() bool {
	return x.request.acked() && x.verdict != nil && x.verdict.Verdict != "invalid" && x.verdict.Verdict != "refused"
}

// firing entries open or repeat incidents; resolved ones do neither.
func (x *entry) firing() bool { return !x.Resolved && !x.Malformed }

// object is the life of one RemediationRequest.
type object struct {
	history.Object
	identity, group string
	rule            history.StormRule
	first           history.Event
	// over is the Seq at which it was deleted or became terminal; 0 for never.
	over    int64
	deleted bool
	// gone is the deletion as the watch reported it; Seq 0 for never.
	gone  history.Event
	final *history.Object
	// finalSeq is where the last list shows it.
	finalSeq int64
	// previous had the same name before; nil normally.
	previous *object
}

// track is what concerns one incident or one storm group: the firing alerts in the order
// in which they were sent, those of them that may have taken effect unseen, and the
// objects.
type track struct {
	entries, maybe []*entry
	// acks are the acknowledged ones in the order of their answers.
	acks    []*entry
	objects []*object
}

// after returns the entries that were sent after seq.
func after(list []*entry, seq int64) []*entry {
	return list[sort.Search(len(list), func(i int) bool { return list[i].request.event.Seq > seq }):]
}

// gather sorts the events and checks the assumptions.
func gather(events []history.Event) (*evidence, *Finding) {
	if len(events) == 0 || events[0].Begin == nil {
		return nil, &Finding{Outcome: Inconclusive, Why: "the history has no beginning"}
	}
	e := &evidence{begin: *events[0].Begin, events: events, byName: map[string][]*object{}, creators: map[string][]*entry{},
		incidents: map[string]*track{}, groups: map[string]*track{}}
	requests, objects := map[string]*request{}, map[string]*object{}
	for _, ev := range events {
		switch {
		case ev.Request != nil:
			r := &request{Request: *ev.Request, event: ev}
			requests[r.ID] = r
			e.requests = append(e.requests, r)
		case ev.Answer != nil && requests[ev.Answer.ID] != nil:
			r := requests[ev.Answer.ID]
			r.answer, r.end = ev.Answer, ev
		case ev.Object != nil:
			e.see(objects, ev)
		case ev.Page != nil:
			e.pages = append(e.pages, ev)
		case ev.Action != nil && ev.Action.Kind == "redis":
			e.commands = append(e.commands, ev.Action.Detail)
		}
	}
	if f := e.assumptions(); f != nil {
		return e, f
	}
	for _, r := range e.requests {
		e.opaque = e.opaque || r.Opaque && (r.acked() || r.maybe())
		e.enter(r)
	}
	e.index()
	e.downtimes()
	return e, nil
}

// see follows an object through watch events and the final list.
func (e *evidence) see(objects map[string]*object, ev history.Event) {
	o := objects[ev.Object.UID]
	if o == nil {
		o = &object{first: ev, identity: e.identity(ev.Object.Labels)}
		o.group, o.rule = e.group(ev.Object.Labels)
		objects[ev.Object.UID] = o
		e.objects = append(e.objects, o)
		name := ev.Object.Namespace + "/" + ev.Object.Name
		if same := e.byName[name]; len(same) > 0 {
			o.previous = same[len(same)-1]
		}
		e.byName[name] = append(e.byName[name], o)
	}
	if o.final != nil && ev.Object.Change == "deleted" {
		return // the harness sweeps after its last list; that says nothing of the scenario
	}
	o.Object = *ev.Object
	if ev.Object.Final {
		o.final, o.finalSeq = ev.Object, ev.Seq
	}
	terminal := ev.Object.Phase == "Completed" || ev.Object.Phase == "Failed"
	if ev.Object.Change == "deleted" && !o.deleted {
		o.deleted, o.gone = true, ev
	}
	if o.over == 0 && (terminal || o.deleted) {
		o.over = ev.Seq
	}
}

// enter sorts the alerts of a request and pairs them with their verdicts.
func (e *evidence) enter(r *request) {
	verdicts := map[int]*history.Verdict{}
	if r.answer != nil {
		for i := range r.answer.Verdicts {
			verdicts[r.answer.Verdicts[i].Index] = &r.answer.Verdicts[i]
		}
	}
	for _, a := range r.Alerts {
		x := &entry{Alert: a, request: r, identity: e.identity(a.Labels), verdict: verdicts[a.Index]}
		x.group, _ = e.group(a.Labels)
		e.entries = append(e.entries, x)
	}
}

// index fills the tracks.
func (e *evidence) index() {
	of := func(m map[string]*track, key string) *track {
		if m[key] == nil {
			m[key] = &track{}
		}
		return m[key]
	}
	for _, x := range e.entries {
		if !x.firing() {
			continue
		}
		if x.acked() && x.verdict.Verdict == "created" {
			name := x.verdict.Namespace + "/" + x.verdict.Name
			e.creators[name] = append(e.creators[name], x)
		}
		for _, t := range []*track{of(e.incidents, x.identity), of(e.groups, x.group)} {
			t.entries = append(t.entries, x)
			if x.request.maybe() {
				t.maybe = append(t.maybe, x)
			}
			if x.acked() {
				t.acks = append(t.acks, x)
			}
		}
	}
	for _, o := range e.objects {
		if o.Managed {
			t := e.track(o)
			t.objects = append(t.objects, o)
		}
	}
	for _, m := range []map[string]*track{e.incidents, e.groups} {
		for _, t := range m {
			slices.SortStableFunc(t.acks, func(a, b *entry) int { return int(a.request.end.Seq - b.request.end.Seq) })
		}
	}
}

// track is what concerns an object.
func (e *evidence) track(o *object) *track {
	m, key := e.incidents, o.identity
	if o.Storm {
		m, key = e.groups, o.group
	}
	if m[key] == nil {
		m[key] = &track{}
	}
	return m[key]
}

// downtimes finds when the system was being stopped and started: from a stop (see
// stops) to the next restarted. Where the history does not say when it was back, a request sent after
// the stop that got an answer does.
func (e *evidence) downtimes() {
	var open *span
	started := map[string]bool{}
	for _, ev := range e.events {
		switch {
		case stops(ev):
			if open == nil {
				open, started = &span{from: ev.Seq}, map[string]bool{}
			}
		case open == nil:
		case ev.Request != nil:
			started[ev.Request.ID] = true
		case ev.Action != nil && ev.Action.Kind == "restarted",
			ev.Answer != nil && ev.Answer.Status != 0 && started[ev.Answer.ID] && e.begin.Schema != history.Schema:
			open.to = ev.Seq
			e.down = append(e.down, *open)
			open = nil
		}
	}
	if open != nil {
		open.to = e.events[len(e.events)-1].Seq
		e.down = append(e.down, *open)
	}
}

// stops reports whether the system, or a replica of it, goes down here, or may go down from
// here on: a crash point kills when it is reached.
func stops(ev history.Event) bool {
	if ev.Action != nil {
		return slices.Contains([]string{"restart", "kill", "terminate"}, ev.Action.Kind)
	}
	return ev.Fault != nil && ev.Fault.Kind == "crash" && ev.Fault.Change == "armed"
}

// identity is what makes two alerts the same incident: all labels but the ignored ones, in
// a form that no two different sets share.
func (e *evidence) identity(labels map[string]string) string {
	var out strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if !slices.Contains(e.begin.IgnoredLabels, k) {
			out.WriteString(strconv.Quote(k) + "=" + strconv.Quote(labels[k]) + ",")
		}
	}
	return out.String()
}

// group is the storm group of an alert: by the first rule whose labels it has, else by the
// last rule.
func (e *evidence) group(labels map[string]string) (string, history.StormRule) {
	if len(e.begin.Storms) == 0 {
		return "", history.StormRule{}
	}
	rule := e.begin.Storms[len(e.begin.Storms)-1]
	for _, r := range e.begin.Storms {
		if !slices.ContainsFunc(r.By, func(l string) bool { return labels[l] == "" }) {
			rule = r
			break
		}
	}
	key := rule.Name
	for _, l := range rule.By {
		key += "," + strconv.Quote(labels[l])
	}
	return key, rule
}

// named finds the objects that an answer can mean by namespace and name.
func (e *evidence) named(v *history.Verdict) []*object {
	list := e.byName[v.Namespace+"/"+v.Name]
	e.work += len(list)
	return list
}

// created bounds the moment, by the scenario's clock, at which an object was created.
func (e *evidence) created(o *object) (earliest, latest time.Time) {
	latest = o.first.Clock
	earliest = latest
	since := int64(0)
	if o.previous != nil {
		since = o.previous.gone.Seq
	}
	t := e.track(o)
	told := false
	for _, x := range after(e.creators[o.Namespace+"/"+o.Name], since) {
		e.work++
		if x.request.event.Seq < o.first.Seq {
			told, earliest = true, x.request.event.Clock
			if x.request.end.Clock.Before(latest) {
				latest = x.request.end.Clock
			}
			break
		}
	}
	candidates := t.maybe
	if !told {
		// Nobody was told of the creation (a lost reply): any request that carried such an
		// alert may have been the one, so the first is the bound.
		candidates = t.entries
	}
	if list := after(candidates, since); len(list) > 0 && list[0].request.event.Clock.Before(earliest) {
		earliest = list[0].request.event.Clock
	}
	return earliest, latest
}

// idleFaults are those that ended with fewer hits than planned, and at least one is.
func (e *evidence) idleFaults() []history.Fault {
	last := map[string]history.Fault{}
	var order []string
	for _, ev := range e.events {
		if ev.Fault == nil {
			continue
		}
		if _, known := last[ev.Fault.ID]; !known {
			order = append(order, ev.Fault.ID)
		}
		last[ev.Fault.ID] = *ev.Fault
	}
	var out []history.Fault
	for _, id := range order {
		if last[id].Applied < max(1, last[id].Planned) {
			out = append(out, last[id])
		}
	}
	return out
}

// short names an alert for a person.
func (x *entry) short() string {
	return fmt.Sprintf("alert %d of request %s (%s)", x.Index, x.request.ID, x.identity)
}

func kindOf(o *object) string {
	if o.Storm {
		return "storm object"
	}
	return "object"
}
