package report

import (
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// WriteMetrics writes the results as OpenMetrics text, for a textfile collector or a push:
// gauges of the last report, with the scenario's id and category as labels.
func WriteMetrics(w io.Writer, r Report) error {
	reg := prometheus.NewRegistry()
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stormproof_" + name, Help: help}, labels)
		reg.MustRegister(g) // names are constant
		return g
	}
	executions := gauge("scenario_executions", "Executions of a scenario in the report, by outcome.", "id", "category", "status")
	seconds := gauge("scenario_duration_seconds", "Mean duration of a scenario over the report's runs.", "id", "category")
	for _, run := range r.Runs {
		for _, s := range run.Scenarios {
			executions.WithLabelValues(s.ID, s.Category, string(s.Status)).Inc()
		}
	}
	for id, e := range endings(r) {
		seconds.WithLabelValues(id, e.category).Set(e.mean())
	}
	totals := gauge("report_executions", "Executions in the report: expected, and those that passed.", "what")
	totals.WithLabelValues("expected").Set(float64(r.Totals.Expected))
	totals.WithLabelValues("passed").Set(float64(r.Totals.Passed))
	gauge("report_pass", "1 when the verdict is PASS.").WithLabelValues().Set(truth(r.Verdict() == VerdictPass))
	gauge("report_timestamp_seconds", "When the report's first run began, in seconds since 1970.").WithLabelValues().Set(float64(r.Started.UnixMilli()) / 1000)
	if r.Gate != nil {
		criteria := gauge("gate_criterion_met", "1 when the gate's criterion is met.", "criterion")
		for _, c := range r.Gate.Criteria {
			criteria.WithLabelValues(c.Name).Set(truth(c.Pass))
		}
	}
	if r.Flake != nil {
		gauge("flake_upper_bound_ratio", "Upper 95 % bound on the share of red runs of this tree.").WithLabelValues().Set(r.Flake.UpperBound95)
		gauge("flake_runs", "Runs of this tree on record.").WithLabelValues().Set(float64(r.Flake.Runs))
	}
	families, err := reg.Gather()
	if err != nil {
		return fmt.Errorf("gathering results: %w", err)
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToOpenMetrics(w, f); err != nil {
			return fmt.Errorf("writing results as metrics: %w", err)
		}
	}
	_, err = expfmt.FinalizeOpenMetrics(w)
	return err
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
