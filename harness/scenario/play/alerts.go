package play

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/traffic"
)

// build makes the alerts of a list of templates. Alerts are numbered from 1 through the
// whole list, so that {{i}} is unique within a step.
func (w *world) build(templates []scenario.Alert) []traffic.Alert {
	var out []traffic.Alert
	i := 0
	for _, t := range templates {
		for range max(1, t.Count) {
			i++
			for e := range max(1, t.Episodes) {
				out = append(out, w.alert(t, i, t.Episode+e))
			}
		}
	}
	return out
}

func (w *world) alert(t scenario.Alert, i, episode int) traffic.Alert {
	labels := w.expandMap(t.Labels, i)
	if labels == nil {
		labels = map[string]string{}
	}
	if ns, given := labels["namespace"]; !given && w.scenario.System == nil {
		labels["namespace"] = w.namespaces[0]
	} else if given && ns == "" {
		delete(labels, "namespace")
	}
	a := traffic.Alert{Status: "firing", Labels: labels, Annotations: w.expandMap(t.Annotations, i),
		StartsAt: w.base.Add(time.Duration(episode) * time.Second), GeneratorURL: w.expand(t.Generator, i),
		Malformed: t.Malformed}
	if t.Status == "resolved" {
		a.Status, a.EndsAt = "resolved", w.now().UTC()
	}
	if a.Annotations == nil {
		a.Annotations = map[string]string{}
	}
	return a
}

// requests turns a send into the HTTP requests that it stands for.
func (w *world) plan(s *scenario.Send) ([]traffic.Request, error) {
	base := traffic.Request{Name: s.ID, Method: s.Method, Path: s.Path, Gzip: s.Gzip, Headers: w.expandMap(s.Headers, 0), LeaveAfter: s.LeaveAfter.D()}
	switch {
	case s.Slowly == nil:
	case s.Slowly.Part == "header":
		base.HeaderPace = s.Slowly.BytesPerSecond
	default:
		base.BodyPace = s.Slowly.BytesPerSecond
	}
	if base.Method == "" {
		base.Method = "POST"
	}
	if base.Path == "" {
		base.Path = w.defaultPath()
	}
	var bodies []traffic.Request
	switch {
	case s.Body != nil:
		r := base
		r.Body, r.Opaque = []byte(w.expand(*s.Body, 0)), true
		bodies = append(bodies, r)
	case s.JSON != nil:
		for i := range max(1, s.Count) {
			body, err := json.Marshal(w.expandValue(s.JSON, i+1))
			if err != nil {
				return nil, fmt.Errorf("encoding json of send %s: %w", s.ID, err)
			}
			r := base
			r.Body, r.Opaque = body, true
			bodies = append(bodies, r)
		}
	default:
		alerts := w.build(s.Alerts)
		size := s.Batch
		if size == 0 {
			size = max(1, len(alerts))
		}
		for start := 0; start == 0 || start < len(alerts); start += size {
			payload := traffic.NewPayload(alerts[start:min(start+size, len(alerts))])
			payload.CommonLabels, payload.CommonAnnotations = w.expandMap(s.CommonLabels, 0), w.expandMap(s.CommonAnnot, 0)
			encode := payload.Encode
			if w.scenario.System != nil && w.scenario.System.Format == scenario.FormatAPI {
				encode = func() ([]byte, error) { return traffic.EncodeAPI(payload.Alerts) }
			}
			body, err := encode()
			if err != nil {
				return nil, err
			}
			r := base
			r.Body, r.Alerts = body, payload.Seen()
			bodies = append(bodies, r)
		}
	}
	for i := range bodies {
		bodies[i].Body = pad(bodies[i].Body, s.PadTo)
	}
	var out []traffic.Request
	for range max(1, s.Times) {
		for _, r := range bodies {
			r.ID = fmt.Sprintf("%s-%d/1", s.ID, w.requests.Add(1))
			out = append(out, r)
		}
	}
	return out, nil
}

// pad appends spaces, which JSON ignores, up to size bytes.
func pad(b []byte, size int64) []byte {
	missing := max(0, size-int64(len(b)))
	return append(bytes.Clone(b), bytes.Repeat([]byte(" "), int(missing))...)
}
