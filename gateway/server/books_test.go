package server

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/server/mocks"
)

// sums reads both sides of the identity.
func sums(t *testing.T, s *Server) (received, accounted float64) {
	t.Helper()
	families, err := s.metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			switch f.GetName() {
			case "stormproof_alerts_received_total":
				received += m.GetCounter().GetValue()
			case "stormproof_alerts_total":
				accounted += m.GetCounter().GetValue()
			case "stormproof_alerts_pending":
				accounted += m.GetGauge().GetValue()
			}
		}
	}
	return received, accounted
}

func TestEveryAlertThatIsReceivedIsAccountedForWhateverHappens(t *testing.T) {
	type process = func(context.Context, []alert.Alert) ([]intake.Verdict, error)
	for name, tc := range map[string]struct {
		body    string
		process process
		want    string
	}{
		"a verdict each": {webhook, func(context.Context, []alert.Alert) ([]intake.Verdict, error) {
			return []intake.Verdict{{Verdict: intake.Created}}, nil
		}, `stormproof_alerts_total{verdict="created"} 1`},
		"sent back whole": {nameless, func(context.Context, []alert.Alert) ([]intake.Verdict, error) {
			return nil, errors.New("down")
		}, `stormproof_alerts_total{verdict="refused"} 2`},
		"a panic": {webhook, func(context.Context, []alert.Alert) ([]intake.Verdict, error) { panic("oops") },
			`stormproof_alerts_total{verdict="refused"} 1`},
		"a verdict that was forgotten": {webhook, func(context.Context, []alert.Alert) ([]intake.Verdict, error) { return nil, nil },
			`stormproof_alerts_total{verdict="refused"} 1`},
		"nothing valid": {`{"alerts":[{"labels":{"x":"y"}},7]}`, nil, `stormproof_alerts_total{verdict="invalid"} 2`},
	} {
		t.Run(name, func(t *testing.T) {
			p := mocks.NewProcessor(t)
			var s *Server
			if tc.process != nil {
				p.EXPECT().Process(mock.Anything, mock.Anything).RunAndReturn(func(ctx context.Context, a []alert.Alert) ([]intake.Verdict, error) {
					if received, accounted := sums(t, s); received == 0 || received != accounted {
						t.Errorf("while it is processed: received %v, accounted for %v", received, accounted)
					}
					return tc.process(ctx, a)
				})
			}
			s = newServer(p)
			post(t, s.Public(), tc.body)
			wantSeries(t, s, tc.want)
			wantSeries(t, s, "stormproof_alerts_pending 0")
			if received, accounted := sums(t, s); received != accounted {
				t.Errorf("received %v, accounted for %v", received, accounted)
			}
		})
	}
}

func TestWhatAlertmanagerLeftOutIsCountedAndToldToTheIntake(t *testing.T) {
	p := says(t, []intake.Verdict{{Verdict: intake.Created}}, nil)
	s := newServer(p)
	post(t, s.Public(), strings.Replace(webhook, `"alerts"`, `"truncatedAlerts":7,"alerts"`, 1))
	wantSeries(t, s, "stormproof_alerts_truncated_total 7")
	if sent := p.Calls[0].Arguments.Get(1).([]alert.Alert); sent[0].Truncated != 7 {
		t.Errorf("the intake was told of %d", sent[0].Truncated)
	}
}
