package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/scenario/play"
)

// settings tells the judge how the gateway is configured.
func settings(map[string]any) (history.Begin, error) {
	c := config.Defaults()
	out := history.Begin{Window: c.Dedup.Window, HoldWhileActive: c.Dedup.HoldWhileActive, IgnoredLabels: c.Dedup.IgnoredLabels,
		Deadline: c.Limits.RequestTimeout, MaxTTL: 2*c.Dedup.Window + time.Minute}
	for _, r := range c.Storm.Rules {
		out.Storms = append(out.Storms, history.StormRule{Name: r.Name, By: r.By, Threshold: r.Threshold, Window: r.Window})
	}
	return out, nil
}

// scenario is the test as YAML, with everything that a scenario does whether one asks for it
// or not, up to its result file.
func (w *world) scenario(s *scenario.Scenario) test {
	host := &play.Host{Environment: w.description, System: startGateway, Settings: settings, Seed: 1}
	return func(t *testing.T, id string) time.Duration {
		host.RunID, host.Dir = id, filepath.Join(w.dir, id)
		begin := time.Now()
		got := play.Run(t.Context(), host, s)
		b, err := json.MarshalIndent(got, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join(host.Dir, "result.json"), b, 0o600)
		}
		took := time.Since(begin)
		if err != nil || got.Status != report.Passed {
			t.Fatalf("%s: %s, %v", got.Status, got.Detail, err)
		}
		return took
	}
}
