package server

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
)

// Metrics are the gateway's own. No label holds anything that a sender chooses, so their
// number is bounded whatever alerts arrive.
type Metrics struct {
	Registry   *prometheus.Registry
	received   *prometheus.CounterVec
	alerts     *prometheus.CounterVec
	pending    prometheus.Gauge
	truncated  prometheus.Counter
	requests   *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	kubernetes *prometheus.CounterVec
	corrupt    prometheus.Counter
	panics     prometheus.Counter
	parked     prometheus.Gauge
	left       prometheus.Counter
	shadow     *prometheus.CounterVec
	shadowPrio *prometheus.CounterVec
	shadowLost prometheus.Counter
	reloads    *prometheus.CounterVec
	reloaded   prometheus.Gauge
}

// NewMetrics registers everything in a registry of its own.
func NewMetrics() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(r)
	m := &Metrics{
		Registry: r,
		received: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_alerts_received_total",
			Help: "Alerts that were read, by source. Each ends in stormproof_alerts_total; until then it is in stormproof_alerts_pending."}, []string{"source"}),
		alerts: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_alerts_total",
			Help: "Alerts by what became of them; refused: sent back with a 5xx, nothing was promised."}, []string{"verdict"}),
		pending: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_alerts_pending",
			Help: "Alerts that were read and have no verdict yet."}),
		truncated: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_alerts_truncated_total",
			Help: "Alerts that Alertmanager said it left out of its webhooks: the gateway never saw them."}),
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_http_requests_total",
			Help: "HTTP requests by route and status."}, []string{"route", "code"}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{Name: "stormproof_http_request_duration_seconds",
			Help: "Time to answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12)}, []string{"route"}),
		kubernetes: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_kubernetes_requests_total",
			Help: "Attempts at the API server by outcome."}, []string{"verb", "resource", "result"}),
		corrupt: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_corrupt_keys_total",
			Help: "Redis keys of a wrong type that were replaced."}),
		panics: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_panics_total",
			Help: "Panics of handlers that were recovered."}),
		parked: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_alerts_parked",
			Help: "Refused alerts that can be seen at /parked."}),
		left: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_alerts_left_park_total",
			Help: "Refused alerts that had to make room for newer ones."}),
		shadow: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_shadow_alerts_total",
			Help: "Alerts by their verdict, and by the one that the shadow configuration would have given."}, []string{"verdict", "would"}),
		shadowPrio: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_shadow_priorities_total",
			Help: "Alerts by their priority, and by the one that the shadow configuration would have given."}, []string{"priority", "would"}),
		shadowLost: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_shadow_dropped_total",
			Help: "Alerts that were not tried on the shadow configuration."}),
		reloads: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_config_reloads_total",
			Help: "Changes of the configuration file by result: accepted or refused."}, []string{"result"}),
		reloaded: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_config_last_reload_successful",
			Help: "1 unless the newest change of the configuration file was refused."}),
	}
	m.reloaded.Set(1)
	// A counter that is not there yet cannot be compared with one that is.
	for _, result := range []string{"accepted", "refused"} {
		m.reloads.WithLabelValues(result)
	}
	for _, verdict := range intake.Verdicts() {
		m.alerts.WithLabelValues(verdict)
	}
	for _, source := range alert.Sources() {
		m.received.WithLabelValues(source.Name())
	}
	return m
}

// Reloaded counts a change of the configuration.
func (m *Metrics) Reloaded(err error) {
	result, good := "accepted", 1.0
	if err != nil {
		result, good = "refused", 0
	}
	m.reloads.WithLabelValues(result).Inc()
	m.reloaded.Set(good)
}

func (m *Metrics) parkedNow(n int) { m.parked.Set(float64(n)) }
func (m *Metrics) leftPark(n int)  { m.left.Add(float64(n)) }

// ShadowVerdict implements shadow.Observer.
func (m *Metrics) ShadowVerdict(verdict, would string) {
	m.shadow.WithLabelValues(verdict, would).Inc()
}

// ShadowPriority implements shadow.Observer.
func (m *Metrics) ShadowPriority(priority, would string) {
	m.shadowPrio.WithLabelValues(priority, would).Inc()
}

// ShadowDropped implements shadow.Observer.
func (m *Metrics) ShadowDropped(alerts int) { m.shadowLost.Add(float64(alerts)) }

// Corrupt counts replaced keys.
func (m *Metrics) Corrupt(n int) { m.corrupt.Add(float64(n)) }

// Kubernetes counts one attempt.
func (m *Metrics) Kubernetes(verb, resource string, err error) {
	result := "ok"
	if err != nil {
		if result = string(apierrors.ReasonForError(err)); result == "" {
			result = "transport"
		}
	}
	m.kubernetes.WithLabelValues(verb, resource, result).Inc()
}
