package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/park"
	"github.com/stormproof/stormproof/gateway/server/mocks"
)

// parking is a server with a park of three.
func parking(p Processor) *Server {
	l := limits
	l.ParkedAlerts, l.ParkedBytes = 3, 4096
	return New(l, p, nil, NewMetrics(), slog.New(slog.DiscardHandler))
}

func parked(t *testing.T, s *Server) []park.Alert {
	t.Helper()
	var out struct{ Parked []park.Alert }
	w := get(t, s.Admin(), "/parked")
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	return out.Parked
}

func replayAll(t *testing.T, s *Server) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Admin().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/parked/replay", nil))
	var out struct {
		Replayed []replayed
		Left     int
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	var said []string
	for _, r := range out.Replayed {
		said = append(said, fmt.Sprintf("%d: %d", r.ID, r.Status))
	}
	return fmt.Sprintf("%s; left %d", strings.Join(said, ", "), out.Left)
}

// labelled is a webhook of two alerts: the first has nine labels, where eight are taken.
var labelled = `{"commonLabels":{"cluster":"c"},"alerts":[{"labels":{"alertname":"Wide","1":"","2":"","3":"","4":"","5":"","6":"","7":""},` +
	`"startsAt":"2026-01-02T03:04:05Z"},{"labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z"}]}`

func TestARefusedAlertIsParkedAndTakenOnceTheCauseIsMended(t *testing.T) {
	p := mocks.NewProcessor(t)
	s := parking(p)
	p.EXPECT().Process(mock.Anything, mock.Anything).Return([]intake.Verdict{{Index: 1, Verdict: intake.Created}}, nil).Once()
	post(t, s.Public(), labelled)
	all := parked(t, s)
	if len(all) != 1 || all[0].Source != "alertmanager" || all[0].Field != "labels" || all[0].At.IsZero() {
		t.Fatalf("%+v", all)
	}
	if got := replayAll(t, s); got != "1: 422; left 1" {
		t.Fatalf("while the limit is as it was: %s", got)
	}
	l := limits
	l.Labels = 9
	s.SetLimits(l)
	p.EXPECT().Process(mock.Anything, mock.Anything).RunAndReturn(func(_ context.Context, alerts []alert.Alert) ([]intake.Verdict, error) {
		if len(alerts) != 1 || alerts[0].Name() != "Wide" || alerts[0].Labels["cluster"] != "c" {
			t.Errorf("the alert came back as %+v", alerts)
		}
		return []intake.Verdict{{Verdict: intake.Created}}, nil
	}).Once()
	if got := replayAll(t, s); got != "1: 201; left 0" {
		t.Fatalf("with a wider limit: %s", got)
	}
}

func TestAReplayEndsAtTheFirst5xx(t *testing.T) {
	p := mocks.NewProcessor(t)
	s := parking(p)
	refused := intake.Verdict{Verdict: intake.Invalid, Detail: "never"}
	p.EXPECT().Process(mock.Anything, mock.Anything).Return([]intake.Verdict{refused}, nil).Times(2)
	post(t, s.Public(), webhook)
	post(t, s.Public(), webhook)
	p.EXPECT().Process(mock.Anything, mock.Anything).Return(nil, &intake.RedisError{Err: http.ErrServerClosed}).Once()
	if got := replayAll(t, s); got != "1: 503; left 2" {
		t.Fatal(got)
	}
}

func TestAnEventIsParkedWithTheVersionOfItsList(t *testing.T) {
	s := parking(mocks.NewProcessor(t))
	list := `{"kind":"EventList","apiVersion":"v1","items":[{"type":"Warning"}]}`
	post(t, s.Public(), list, func(r *http.Request) { r.URL.Path = eventRoute })
	all := parked(t, s)
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	var got, want any
	if json.Unmarshal(all[0].Body, &got) != nil || json.Unmarshal([]byte(list), &want) != nil || !cmp.Equal(got, want) {
		t.Errorf("%s", all[0].Body)
	}
}

func TestWhatIsRefusedWithA5xxIsNotParked(t *testing.T) {
	s := parking(says(t, nil, &intake.RedisError{Err: http.ErrServerClosed}))
	post(t, s.Public(), webhook)
	if all := parked(t, s); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}
