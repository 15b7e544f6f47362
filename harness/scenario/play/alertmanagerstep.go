package play

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/traffic"
)

// alertmanagerParts is a real Alertmanager and the tap that records what it sends.
type alertmanagerParts struct {
	program *traffic.Alertmanager
	tap     *traffic.Tap
}

func (w *world) doAlertmanager(ctx context.Context, s *scenario.Alertmanager) error {
	switch {
	case s.Start != nil:
		return w.startAlertmanager(ctx, s.Start)
	case w.alertmanager == nil:
		return errors.New("no `alertmanager: {start: ...}` step came before this one")
	case s.Fire != nil:
		return w.alertmanager.program.Post(ctx, w.live(s.Fire.Alerts, false))
	default:
		return w.alertmanager.program.Post(ctx, w.live(s.Resolve.Alerts, true))
	}
}

// live builds alerts for Alertmanager's API, where resolved means an endsAt in the past.
func (w *world) live(templates []scenario.Alert, resolved bool) []traffic.Alert {
	alerts := w.build(templates)
	for i := range alerts {
		alerts[i].EndsAt = time.Now().Add(time.Hour)
		if resolved {
			alerts[i].EndsAt = time.Now()
		}
	}
	return alerts
}

func (w *world) startAlertmanager(ctx context.Context, s *scenario.AlertmanagerStart) error {
	if w.host.Alertmanager == "" {
		return errors.New("no Alertmanager binary; type: stormproof doctor")
	}
	dir := filepath.Join(w.dir, "alertmanager")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tap, err := traffic.NewTap(ctx, w.balanced(), "alertmanager",
		func(r traffic.Response) { w.answers.add("alertmanager", viewOf(r)) })
	if err != nil {
		return err
	}
	w.alertmanager = &alertmanagerParts{tap: tap}
	w.alertmanager.program, err = traffic.StartAlertmanager(ctx, traffic.AlertmanagerOptions{
		Binary: w.host.Alertmanager, Dir: dir, WebhookURL: tap.URL() + alertmanagerPath,
		GroupBy: s.GroupBy, GroupWait: s.GroupWait.D(), GroupInterval: s.GroupInterval.D(), RepeatInterval: s.RepeatInterval.D()})
	return err
}

func (w *world) stopAlertmanager(ctx context.Context) error {
	if w.alertmanager == nil {
		return nil
	}
	var errs []error
	if w.alertmanager.program != nil {
		errs = append(errs, w.alertmanager.program.Stop(ctx))
	}
	errs = append(errs, w.alertmanager.tap.Close(ctx))
	w.alertmanager = nil
	return errors.Join(errs...)
}
