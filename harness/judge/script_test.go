package judge

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

// script writes a history from lines, one event a line (open: three). The verbs:
//
//	begin key=value...            changes the begin event: hold=off schema= frees=0s promises=P6,P7 secret=NAME
//	again                         a second begin event
//	open ID ALERT OBJECT [...]    a request, its new object, and the answer 201
//	send ID [retry-of=ID] [opaque] [leaves] ALERT...   x, x@1m (starts a minute later), x/resolved, x/malformed, B.x, x+high
//	STATUS ID [took= type= problem= retry-after=] VERDICT...   VERDICT:OBJECT[!FINGERPRINT][#OCC/DEL]; - for none
//	lost ID                       no answer came
//	object CHANGE NAME of ALERT [n= phase= occ= del= members= ns= uid= print= storm unmanaged]
//	page NAME of STORM holds ALERT... [ns=]
//	key NAME TTL                  {x} in the name is the fingerprint of alert x
//	advance D, wait D             the scenario's clock; real time (may be negative)
//	do KIND [NAME or DETAIL]      an action
//	fault ID armed|removed [planned= applied=]
//	residue KIND WHAT, scan PLACES, leak SECRET in WHERE, note TEXT
//	list [objects= keys= without=NAME], end [unclean], cut    by default a whole list and a clean end follow
//	number N                      changes the last event's Seq
//
// Live objects that no line lists are listed at the end as they were last seen.
type script struct {
	events  []history.Event
	at      time.Duration
	offset  time.Duration
	got     history.List
	objects []*history.Object
	ended   bool
	listed  bool
}

func newScript() *script {
	s := &script{}
	s.add(history.Event{Begin: &history.Begin{Schema: history.Schema, Scenario: "hand", Window: 5 * time.Minute,
		HoldWhileActive: true, IgnoredLabels: []string{"severity"}, Deadline: 8 * time.Second, Namespaces: []string{"ns"},
		RedisPrefix: "p:", MaxTTL: 11 * time.Minute, FreesWithin: 2 * time.Second,
		Storms: []history.StormRule{{Name: "d", By: []string{"alertname"}, Threshold: 3, Window: time.Minute}}}})
	return s
}

func (s *script) add(e history.Event) {
	s.at += time.Millisecond
	e.Seq, e.At, e.Clock = int64(len(s.events))+1, s.at, t0.Add(s.at+s.offset)
	s.events = append(s.events, e)
}

// list writes the last lists: what was not listed yet, and the event that counts them.
func (s *script) list(o map[string]string) {
	for _, x := range s.objects {
		if x.Change != "deleted" && !x.Final && x.Name != o["without"] {
			last := *x
			last.Change, last.Final = "listed", true
			s.got.Objects++
			s.add(history.Event{Object: &last})
		}
	}
	l := s.got
	l.Objects, l.Keys = int(number(o["objects"], l.Objects)), int(number(o["keys"], l.Keys))
	s.add(history.Event{List: &l})
	s.listed = true
}

func (s *script) done() []history.Event {
	if !s.ended && !s.listed {
		s.list(nil)
	}
	if !s.ended {
		s.add(history.Event{End: &history.End{Clean: true}})
	}
	return s.events
}

func options(words []string) map[string]string {
	out := map[string]string{}
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok {
			v = "true"
		}
		out[k] = v
	}
	return out
}

func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}

func number(text string, otherwise int) int64 {
	if text == "" {
		return int64(otherwise)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// labelsOf an alert's short name: "x" is A's x, "B.x" is B's, "x+high" has a severity.
func labelsOf(name string) map[string]string {
	alertname := "A"
	if before, rest, ok := strings.Cut(name, "."); ok {
		alertname, name = before, rest
	}
	name, severity, ok := strings.Cut(name, "+")
	out := map[string]string{"alertname": alertname, "i": name}
	if ok {
		out["severity"] = severity
	}
	return out
}

func fingerprintOf(name string) string { return fmt.Sprintf("%064x", name) }

func (s *script) line(w []string) error {
	o, rest := options(w[1:]), strings.Join(w[min(len(w), 2):], " ")
	switch w[0] {
	case "begin":
		s.begin(o)
	case "again":
		s.add(history.Event{Begin: s.events[0].Begin})
	case "open":
		s.send(w[1], w[2:3])
		name, _, _ := strings.Cut(w[2], "@")
		s.object(append([]string{"object", "added", w[3], "of", name}, w[4:]...))
		return s.answer([]string{"201", w[1], "created:" + w[3]})
	case "send":
		s.send(w[1], w[2:])
	case "lost":
		s.add(history.Event{Answer: &history.Answer{ID: w[1], Latency: time.Millisecond, Error: "EOF"}})
	case "object":
		s.object(w)
	case "page":
		s.page(w)
	case "key":
		name := w[1]
		if i, j := strings.Index(name, "{"), strings.Index(name, "}"); i >= 0 {
			name = name[:i] + fingerprintOf(name[i+1:j]) + name[j+1:]
		}
		s.got.Keys++
		s.add(history.Event{Key: &history.Key{Name: name, TTL: duration(w[2]), Type: "hash"}})
	case "advance":
		s.offset += duration(w[1])
		s.add(history.Event{Advance: &history.Advance{By: duration(w[1])}})
	case "wait":
		s.at += duration(w[1])
	case "do":
		s.add(history.Event{Action: &history.Action{Kind: w[1], Namespace: "ns", Name: rest, Detail: rest}})
	case "fault":
		s.add(history.Event{Fault: &history.Fault{ID: w[1], Target: "redis", Kind: "cut", Change: w[2],
			Planned: number(o["planned"], 0), Matched: number(o["applied"], 0), Applied: number(o["applied"], 0)}})
	case "residue":
		s.add(history.Event{Residue: &history.Residue{Kind: w[1], What: rest}})
	case "scan":
		s.add(history.Event{Scan: &history.Scan{Places: int(number(w[1], 0)), Bytes: 100 * number(w[1], 0), Missed: missed(o)}})
	case "leak":
		s.add(history.Event{Leak: &history.Leak{Secret: w[1], Where: strings.TrimPrefix(rest, "in ")}})
	case "note":
		s.add(history.Event{Note: &history.Note{Text: rest}})
	case "list":
		s.list(o)
	case "end":
		s.ended = true
		s.add(history.Event{End: &history.End{Clean: o["unclean"] == ""}})
	case "cut":
		s.ended = true
	case "number":
		s.events[len(s.events)-1].Seq = number(w[1], 0)
	default:
		return s.answer(w)
	}
	return nil
}

func (s *script) begin(o map[string]string) {
	b := s.events[0].Begin
	for k, v := range o {
		switch k {
		case "hold":
			b.HoldWhileActive = v == "on"
		case "schema":
			b.Schema = v
		case "frees":
			b.FreesWithin = duration(v)
		case "promises":
			b.Promises = strings.Split(v, ",")
		case "secret":
			b.Secrets = []history.Secret{{Name: v, SHA256: fingerprintOf(v)}}
		}
	}
}

func (s *script) send(id string, words []string) {
	r := &history.Request{ID: id, Method: "POST", Path: "/x"}
	for _, w := range words {
		if of, ok := strings.CutPrefix(w, "retry-of="); ok {
			r.RetryOf = of
			continue
		}
		if w == "opaque" || w == "leaves" {
			r.Opaque, r.Leaves = r.Opaque || w == "opaque", r.Leaves || w == "leaves"
			continue
		}
		a := history.Alert{Index: len(r.Alerts), StartsAt: t0}
		w, a.Resolved = strings.CutSuffix(w, "/resolved")
		w, a.Malformed = strings.CutSuffix(w, "/malformed")
		name, later, ok := strings.Cut(w, "@")
		if ok {
			a.StartsAt = t0.Add(duration(later))
		}
		a.Labels = labelsOf(name)
		r.Alerts = append(r.Alerts, a)
	}
	s.add(history.Event{Request: r})
}

func (s *script) answer(w []string) error {
	status, err := strconv.Atoi(w[0])
	if err != nil || len(w) < 2 {
		return fmt.Errorf("there is no verb %q", w[0])
	}
	a := &history.Answer{ID: w[1], Status: status, Latency: time.Millisecond, ContentType: "application/json"}
	if status >= 400 {
		a.ContentType, a.Problem, a.RetryAfter = "application/problem+json", "urn:x", "1"
	}
	index := 0
	for _, word := range w[2:] {
		k, v, _ := strings.Cut(word, "=")
		switch k {
		case "took":
			a.Latency = duration(v)
		case "type":
			a.ContentType = v
		case "problem":
			a.Problem = v
		case "retry-after":
			a.RetryAfter = v
		default:
			if word != "-" {
				a.Verdicts = append(a.Verdicts, s.verdict(w[1], index, word))
			}
			index++
		}
	}
	s.add(history.Event{Answer: a})
	return nil
}

func (s *script) verdict(id string, index int, word string) history.Verdict {
	v := history.Verdict{Index: index, Occurrences: 1, Deliveries: 1}
	for _, e := range s.events {
		if e.Request != nil && e.Request.ID == id && index < len(e.Request.Alerts) {
			l := e.Request.Alerts[index].Labels
			v.Fingerprint = fingerprintOf(strings.TrimPrefix(l["alertname"]+"."+l["i"], "A."))
		}
	}
	word, counts, ok := strings.Cut(word, "#")
	if ok {
		occ, del, _ := strings.Cut(counts, "/")
		v.Occurrences, v.Deliveries = number(occ, 1), number(del, 1)
	}
	word, print, ok := strings.Cut(word, "!")
	if ok {
		v.Fingerprint = fingerprintOf(print)
	}
	if v.Verdict, v.Name, _ = strings.Cut(word, ":"); v.Name != "" {
		v.Namespace = "ns"
	}
	return v
}

func (s *script) object(w []string) {
	o := options(w[5:])
	or := func(key, otherwise string) string {
		if v, ok := o[key]; ok {
			return v
		}
		return otherwise
	}
	x := &history.Object{Change: w[1], Final: w[1] == "listed", UID: or("uid", "u-"+w[2]), Namespace: or("ns", "ns"), Name: w[2],
		Fingerprint: fingerprintOf(or("print", w[4])), Incarnation: int(number(o["n"], 1)), Labels: labelsOf(w[4]),
		Phase: or("phase", "Pending"), Managed: o["unmanaged"] == "", Storm: o["storm"] != "",
		Occurrences: number(o["occ"], 1), Deliveries: number(o["del"], 1), Members: number(o["members"], 0)}
	if o["ren"] != "" {
		n := number(o["ren"], 0)
		x.Renotifications = &n
	}
	if x.Final {
		s.got.Objects++
	}
	s.add(history.Event{Object: x})
	for i, old := range s.objects {
		if old.UID == x.UID {
			s.objects[i] = x
			return
		}
	}
	s.objects = append(s.objects, x)
}

func (s *script) page(w []string) {
	p := &history.Page{Namespace: "ns", Name: w[1], Storm: w[3]}
	for _, m := range w[5:] {
		if ns, ok := strings.CutPrefix(m, "ns="); ok {
			p.Namespace = ns
			continue
		}
		p.Members = append(p.Members, history.Member{Fingerprint: fingerprintOf(m), Labels: labelsOf(m)})
	}
	s.got.Pages++
	s.add(history.Event{Page: p})
}

// missed is what a search did not read.
func missed(o map[string]string) []string {
	if o["missed"] == "" {
		return nil
	}
	return []string{o["missed"]}
}
