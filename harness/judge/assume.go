package judge

import (
	"fmt"

	"github.com/stormproof/stormproof/harness/history"
)

// assumptions checks what all judgement rests on: the history is whole, it started clean,
// its clocks and ids are sound. The first that does not hold is returned.
func (e *evidence) assumptions() *Finding {
	for _, check := range []func() *Finding{e.soundOrder, e.soundNames, e.cleanStart, e.whole, e.listed} {
		if f := check(); f != nil {
			return f
		}
	}
	return nil
}

func lacks(seq int64, format string, args ...any) *Finding {
	return &Finding{Outcome: Inconclusive, Why: fmt.Sprintf(format, args...), Evidence: []int64{seq}}
}

// soundOrder: numbers without a gap, clocks that never run backwards, one beginning.
func (e *evidence) soundOrder() *Finding {
	for i, ev := range e.events[1:] {
		before := e.events[i]
		switch {
		case ev.Seq != before.Seq+1:
			return lacks(ev.Seq, "event %d follows event %d: the history has a gap", ev.Seq, before.Seq)
		case ev.At < before.At:
			return lacks(ev.Seq, "the monotonic clock runs backwards at event %d", ev.Seq)
		case ev.Clock.Before(before.Clock):
			return lacks(ev.Seq, "the scenario's clock runs backwards at event %d", ev.Seq)
		case ev.Begin != nil:
			return lacks(ev.Seq, "the history begins twice")
		case before.End != nil:
			return lacks(ev.Seq, "the history goes on after its end")
		}
	}
	return nil
}

// soundNames: an id belongs to one request, an answer to a request, a UID to one object.
func (e *evidence) soundNames() *Finding {
	requests, answers, names := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, ev := range e.events {
		switch {
		case ev.Request != nil:
			if requests[ev.Request.ID] {
				return lacks(ev.Seq, "two requests have the id %s", ev.Request.ID)
			}
			requests[ev.Request.ID] = true
		case ev.Answer != nil:
			if !requests[ev.Answer.ID] {
				return lacks(ev.Seq, "the answer %s belongs to no request", ev.Answer.ID)
			}
			if answers[ev.Answer.ID] {
				return lacks(ev.Seq, "request %s has two answers", ev.Answer.ID)
			}
			answers[ev.Answer.ID] = true
		case ev.Object != nil:
			name := ev.Object.Namespace + "/" + ev.Object.Name
			if old, known := names[ev.Object.UID]; known && old != name {
				return lacks(ev.Seq, "one UID stands for two objects, %s and %s", old, name)
			}
			names[ev.Object.UID] = name
		}
	}
	return nil
}

// cleanStart: nothing of the system's was there before anything was sent.
func (e *evidence) cleanStart() *Finding {
	for _, ev := range e.events {
		switch {
		case ev.Request != nil:
			return nil
		case ev.Object != nil && ev.Object.Managed:
			return lacks(ev.Seq, "object %s/%s was there before the first request: the start was not clean", ev.Object.Namespace, ev.Object.Name)
		case ev.Page != nil:
			return lacks(ev.Seq, "page %s/%s was there although nothing was sent: the start was not clean", ev.Page.Namespace, ev.Page.Name)
		}
	}
	return nil
}

// whole: the end is there, and in a scenario that ran to its end every request has its
// answer and every fault its receipt.
func (e *evidence) whole() *Finding {
	last := e.events[len(e.events)-1]
	if last.End == nil {
		return lacks(last.Seq, "the history ends before the scenario did")
	}
	if !last.End.Clean {
		return nil
	}
	for _, r := range e.requests {
		if r.answer == nil {
			return lacks(r.event.Seq, "request %s has no answer in the history", r.ID)
		}
	}
	standing := map[string]int64{}
	for _, ev := range e.events {
		if ev.Fault != nil {
			standing[ev.Fault.ID] = ev.Seq
			if ev.Fault.Change == "removed" {
				delete(standing, ev.Fault.ID)
			}
		}
	}
	for _, ev := range e.events {
		if ev.Fault != nil && standing[ev.Fault.ID] == ev.Seq {
			return lacks(ev.Seq, "fault %s was armed and its receipt is missing", ev.Fault.ID)
		}
	}
	return nil
}

// listed: the last lists are there, whole. Files of the first version have no List event;
// there, a live object without any last list is the sign.
func (e *evidence) listed() *Finding {
	got := history.List{}
	var list *history.List
	var seq int64
	for _, ev := range e.events {
		switch {
		case ev.Object != nil && ev.Object.Final:
			got.Objects++
		case ev.Page != nil:
			got.Pages++
		case ev.Key != nil:
			got.Keys++
		case ev.List != nil:
			list, seq = ev.List, ev.Seq
		}
	}
	if list != nil {
		if got.Objects != list.Objects || got.Pages != list.Pages || got.Keys != max(list.Keys, 0) {
			return lacks(seq, "the last list held %d objects, %d pages and %d keys; the history has %d, %d and %d of them",
				list.Objects, list.Pages, list.Keys, got.Objects, got.Pages, got.Keys)
		}
		return nil
	}
	if e.begin.Schema == history.Schema {
		return lacks(e.events[len(e.events)-1].Seq, "the history has no last list of objects, pages and keys")
	}
	if got.Objects == 0 {
		for _, o := range e.objects {
			if o.Managed && !o.deleted {
				return lacks(o.first.Seq, "the history shows %s alive and has no last list of the objects", o.Name)
			}
		}
	}
	return nil
}
