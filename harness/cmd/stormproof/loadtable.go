package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/traffic"
)

// printLoad prints one table of what was sent and what came back.
func printLoad(out io.Writer, r loadReport, path string) {
	res := r.Result
	loop := fmt.Sprintf("closed loop, %d connections", r.Connections)
	if r.Rate > 0 {
		loop = fmt.Sprintf("open loop, %g requests/s, at most %d in flight", r.Rate, r.Connections)
		if r.Poisson {
			loop += ", Poisson"
		}
	}
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintln(out)
	row("target", "%s", r.Target)
	row("load", "%s, seed %d", loop, r.Seed)
	row("sent", "%d of %d requests, %d alerts in %s", res.Sent, res.Planned, res.Alerts, res.Elapsed.Round(time.Millisecond))
	row("late", "%d", res.Late)
	row("dropped", "%d", res.Dropped)
	row("answers", "%s", counts(res.Answers))
	row("verdicts", "%s", counts(res.Verdicts))
	row("unacked", "%d", res.Unacked)
	row("latency", "%s", percentiles(res.Latency))
	if r.Rate > 0 {
		row("service", "%s", percentiles(res.Service))
	}
	row("rate", "%.1f alerts/s, %.1f requests/s", r.AlertsPerSecond, float64(res.Sent)/max(res.Elapsed.Seconds(), 1e-9))
	row("written", "%s", path)
}

// counts prints a tally in the order of its keys.
func counts(m map[string]int) string {
	if len(m) == 0 {
		return "-"
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s: %d", k, m[k]))
	}
	return strings.Join(out, "  ")
}

func percentiles(l *traffic.Latencies) string {
	s := l.Summary()
	return fmt.Sprintf("p50 %.1f  p90 %.1f  p95 %.1f  p99 %.1f  p99.9 %.1f  max %.1f ms", s.P50, s.P90, s.P95, s.P99, s.P999, s.Max)
}
