package judge

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

// evidence is a history, sorted for judging.
type evidence struct {
	begin    history.Begin
	requests []*request
	entries  []*entry
	// objects by UID, in the order in which they were first seen.
	objects []*object
	pages   []history.Event
	events  []history.Event
	clean   bool
}

// request with its answer, nil when there is none in the history.
type request struct {
	history.Request
	event  history.Event
	answer *history.Answer
	end    history.Event
}

// maybe reports whether the request may have taken effect without our being told.
func (r *request) maybe() bool { return r.answer == nil || r.answer.Status == 0 }

// entry is one alert of one request.
type entry struct {
	history.Alert
	request  *request
	identity string
	group    string
	rule     history.StormRule
	// verdict is nil unless the answer has exactly one for this index.
	verdict *history.Verdict
}

// acked reports whether the sender was told that this alert is taken care of.
func (e *entry) acked() bool {
	return e.request.answer != nil && e.request.answer.Acked() && e.verdict != nil && e.verdict.Verdict != "invalid"
}

// firing entries open or repeat incidents; resolved ones do neither.
func (e *entry) firing() bool { return !e.Resolved && !e.Malformed }

// object is the life of one RemediationRequest.
type object struct {
	history.Object
	identity, group string
	rule            history.StormRule
	first           history.Event
	// over is the Seq at which it was deleted or became terminal; 0 for never.
	over    int64
	deleted bool
	final   *history.Object
	// gone is the Seq of the first deletion; 0 for never.
	gone int64
}

// gather sorts the events; why says what is missing for any judgement.
func gather(events []history.Event) (e *evidence, why string) {
	if len(events) == 0 || events[0].Begin == nil {
		return nil, "the history has no beginning"
	}
	e = &evidence{begin: *events[0].Begin, events: events}
	requests := map[string]*request{}
	objects := map[string]*object{}
	ended := false
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
		case ev.End != nil:
			ended, e.clean = true, ev.End.Clean
		}
	}
	if !ended {
		return e, "the history ends before the scenario did"
	}
	for _, r := range e.requests {
		e.enter(r)
	}
	return e, ""
}

// see follows an object through watch events and the final list.
func (e *evidence) see(objects map[string]*object, ev history.Event) {
	o := objects[ev.Object.UID]
	if o == nil {
		o = &object{first: ev, identity: e.identity(ev.Object.Labels)}
		o.group, o.rule = e.group(ev.Object.Labels)
		objects[ev.Object.UID] = o
		e.objects = append(e.objects, o)
	}
	if o.final != nil && ev.Object.Change == "deleted" {
		return // the harness sweeps after its last list; that says nothing of the scenario
	}
	o.Object = *ev.Object
	if ev.Object.Final {
		o.final = ev.Object
	}
	terminal := ev.Object.Phase == "Completed" || ev.Object.Phase == "Failed"
	o.deleted = o.deleted || ev.Object.Change == "deleted"
	if ev.Object.Change == "deleted" && o.gone == 0 {
		o.gone = ev.Seq
	}
	if o.over == 0 && (terminal || o.deleted) {
		o.over = ev.Seq
	}
}

// enter sorts the alerts of a request and pairs them with their verdicts.
func (e *evidence) enter(r *request) {
	for _, a := range r.Alerts {
		x := &entry{Alert: a, request: r, identity: e.identity(a.Labels)}
		x.group, x.rule = e.group(a.Labels)
		if r.answer != nil {
			for i := range r.answer.Verdicts {
				if r.answer.Verdicts[i].Index == a.Index {
					x.verdict = &r.answer.Verdicts[i]
				}
			}
		}
		e.entries = append(e.entries, x)
	}
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
func (e *evidence) named(namespace, name string) []*object {
	var out []*object
	for _, o := range e.objects {
		if o.Namespace == namespace && o.Name == name {
			out = append(out, o)
		}
	}
	return out
}

// created bounds the moment, by the scenario's clock, at which an object was created.
func (e *evidence) created(o *object) (earliest, latest time.Time) {
	latest = o.first.Clock
	earliest = latest
	named := false
	for _, r := range e.requests {
		if r.answer == nil || r.event.Seq > o.first.Seq && r.maybe() {
			continue
		}
		for _, v := range r.answer.Verdicts {
			if v.Verdict != "created" || v.Name != o.Name || v.Namespace != o.Namespace {
				continue
			}
			named = true
			if r.event.Clock.Before(earliest) {
				earliest = r.event.Clock
			}
			if r.end.Clock.Before(latest) {
				latest = r.end.Clock
			}
		}
	}
	if !named {
		// Nobody was told of the creation (a lost reply), or it is a storm: any request
		// that carried such an alert may have been the one, so the first is the bound.
		for _, x := range e.entries {
			if x.firing() && x.concerns(o) && x.request.event.Clock.Before(earliest) {
				return x.request.event.Clock, latest
			}
		}
	}
	return earliest, latest
}

// concerns reports whether an alert could have opened or moved the object.
func (x *entry) concerns(o *object) bool {
	return o.Storm && o.group == x.group || !o.Storm && o.identity == x.identity
}

// unlisted finds a live object when the history holds no last list at all: then nothing
// can be said about what is visible at the end.
func (e *evidence) unlisted() (*object, bool) {
	var live *object
	for _, o := range e.objects {
		if o.final != nil {
			return nil, false
		}
		if live == nil && o.Managed && !o.deleted {
			live = o
		}
	}
	return live, live != nil
}

// noList is the finding for a history without a last list.
func noList(o *object) Finding {
	return Finding{Outcome: Inconclusive, Why: "the history shows " + o.Name + " alive and has no last list of the objects", Evidence: []int64{o.first.Seq}}
}

// opaque reports whether a body that the harness cannot read was acknowledged: what it
// said is then unknown.
func (e *evidence) opaque() bool {
	return slices.ContainsFunc(e.requests, func(r *request) bool { return r.Opaque && r.answer != nil && r.answer.Acked() })
}

// idleFaults are those that ended without a hit.
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
		if last[id].Applied == 0 {
			out = append(out, last[id])
		}
	}
	return out
}

// short names an alert for a person.
func (e *entry) short() string {
	return fmt.Sprintf("alert %d of request %s (%s)", e.Index, e.request.ID, e.identity)
}
