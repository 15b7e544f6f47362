package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/park"
)

// parkable are the routes of the private listener that show the refused alerts, and send
// them again.
func (s *Server) parkable(mux *http.ServeMux) {
	mux.Handle("/parked", s.only(http.MethodGet, http.HandlerFunc(s.listParked)))
	mux.Handle("/parked/replay", s.only(http.MethodPost, http.HandlerFunc(s.replayParked)))
}

// replaying marks a request that sends what is parked already.
type replaying struct{}

// keep parks the alerts of a batch that were refused for good.
func (s *Server) keep(ctx context.Context, source alert.Source, batch alert.Batch, alerts []verdictBody) {
	if batch.Alone == nil || ctx.Value(replaying{}) != nil {
		return
	}
	// Of one batch no more than the park can hold: each body has the batch's common part again.
	room := int(s.limits.Load().ParkedBytes)
	for _, a := range alerts {
		if (a.Verdict == intake.Invalid || a.Verdict == intake.Refused) && room > 0 {
			body := batch.Alone(a.Index)
			room -= len(body)
			s.parked.Add(park.Alert{At: time.Now().UTC(), Source: source.Name(), Reason: a.Reason, Field: a.Field, Detail: a.Detail, Body: body})
		}
	}
}

func (s *Server) listParked(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, "application/json", http.StatusOK, map[string]any{"parked": append([]park.Alert{}, s.parked.All()...)})
}

// replayed is what became of one parked alert.
type replayed struct {
	ID     int64           `json:"id"`
	Status int             `json:"status"`
	Answer json.RawMessage `json:"answer"`
}

// replayParked sends every parked alert through its route again. What is taken leaves the
// park. It stops at the first 5xx: then the next ones would fare no better.
func (s *Server) replayParked(w http.ResponseWriter, r *http.Request) {
	out := []replayed{}
	for _, p := range s.parked.All() {
		if r.Context().Err() != nil {
			break
		}
		one := s.replay(r.Context(), p)
		out = append(out, one)
		if one.Status >= http.StatusInternalServerError {
			break
		}
		if one.Status < http.StatusBadRequest {
			s.parked.Remove(p.ID)
		}
	}
	writeJSON(w, "application/json", http.StatusOK, map[string]any{"replayed": out, "left": len(s.parked.All())})
}

func (s *Server) replay(ctx context.Context, p park.Alert) replayed {
	answer := &memory{header: http.Header{}}
	for _, source := range alert.Sources() {
		if source.Name() != p.Source {
			continue
		}
		r, err := http.NewRequestWithContext(context.WithValue(ctx, replaying{}, true), http.MethodPost, "/", bytes.NewReader(p.Body))
		if err != nil {
			break // a constant method and URL are never wrong
		}
		r.Header.Set("Content-Type", "application/json")
		s.admit(s.take(source)).ServeHTTP(answer, r)
	}
	return replayed{ID: p.ID, Status: answer.status, Answer: answer.body.Bytes()}
}

// memory is a ResponseWriter that keeps the answer.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (m *memory) Header() http.Header { return m.header }

// WriteHeader implements http.ResponseWriter.
func (m *memory) WriteHeader(status int) { m.status = status }

// Write implements http.ResponseWriter.
func (m *memory) Write(b []byte) (int, error) { return m.body.Write(b) }
