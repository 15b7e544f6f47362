package server

import (
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
)

// Metrics are the gateway's own. No label holds anything that a sender chooses, so their
// number is bounded whatever alerts arrive.
type Metrics struct {
	Registry   *prometheus.Registry
	received   *prometheus.CounterVec
	alerts     *prometheus.CounterVec
	refused    *prometheus.CounterVec
	pending    prometheus.Gauge
	truncated  prometheus.Counter
	requests   *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	kubernetes *prometheus.CounterVec
	corrupt    prometheus.Counter
	panics     prometheus.Counter
	admissions *prometheus.CounterVec
	bytes      prometheus.Gauge
	paced      *prometheus.CounterVec
	parked     prometheus.Gauge
	degraded   prometheus.Gauge
	without    prometheus.Counter
	left       prometheus.Counter
	shadow     *prometheus.CounterVec
	shadowPrio *prometheus.CounterVec
	shadowLost prometheus.Counter
	spansLost  prometheus.Counter
	reloads    *prometheus.CounterVec
	reloaded   prometheus.Gauge

	inFlight    prometheus.Gauge
	kubeCalls   *prometheus.HistogramVec
	redisCalls  *prometheus.HistogramVec
	redisErrors *prometheus.CounterVec
	commits     prometheus.Histogram
	storms      prometheus.Counter
}

// seconds are the buckets of every duration: the default deadlines of a call of Redis (1 s),
// of Kubernetes (4 s) and of a whole request (8 s) are among them.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 4, 8, 16}

// NewMetrics registers everything in a registry of its own.
func NewMetrics() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(r)
	m := &Metrics{
		Registry: r, admissions: admissions(f),
		received: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_alerts_received_total",
			Help: "Alerts that were read, by source. Each ends in stormproof_alerts_total; until then it is in stormproof_alerts_pending."}, []string{"source"}),
		alerts: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_alerts_total",
			Help: "Alerts by what became of them; refused: sent back with a 5xx, or Kubernetes will never take them."}, []string{"verdict"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_alerts_refused_total",
			Help: "Alerts that were not taken, by reason: the verdicts invalid and refused."}, []string{"reason"}),
		pending: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_alerts_pending",
			Help: "Alerts that were read and have no verdict yet."}),
		truncated: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_alerts_truncated_total",
			Help: "Alerts that Alertmanager said it left out of its webhooks: the gateway never saw them."}),
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_http_requests_total",
			Help: "HTTP requests by route and status."}, []string{"route", "code"}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{Name: "stormproof_http_request_duration_seconds",
			Help: "Time to answer, by route.", Buckets: seconds}, []string{"route"}),
		kubernetes: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_kubernetes_requests_total",
			Help: "Attempts at the API server by outcome: ok, the reason of a refusal, or transport where no answer came."}, []string{"verb", "resource", "result"}),
		corrupt: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_corrupt_keys_total",
			Help: "Redis keys of a wrong type that were replaced."}),
		panics: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_panics_total",
			Help: "Panics of handlers that were recovered."}),
		bytes: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_http_body_bytes_in_flight",
			Help: "Bytes of bodies in memory; limits.inFlightBytes bounds them."}),
		paced: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_http_requests_rate_limited_total",
			Help: "Requests that limits.rate turned away, by kind of source."}, []string{"source"}),
		parked: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_alerts_parked",
			Help: "Refused alerts that can be seen at /parked."}),
		degraded: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_degraded",
			Help: "1 while Redis is lost and Kubernetes decides alone."}),
		without: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_degraded_alerts_total",
			Help: "Alerts that were decided without Redis."}),
		left: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_alerts_left_park_total",
			Help: "Refused alerts that had to make room for newer ones."}),
		shadow: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_shadow_alerts_total",
			Help: "Alerts by their verdict, and by the one that the shadow configuration would have given."}, []string{"verdict", "would"}),
		shadowPrio: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_shadow_priorities_total",
			Help: "Alerts by their priority, and by the one that the shadow configuration would have given."}, []string{"priority", "would"}),
		shadowLost: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_shadow_dropped_total",
			Help: "Alerts that were not tried on the shadow configuration."}),
		spansLost: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_trace_spans_dropped_total",
			Help: "Spans that the collector did not get: it is away, or slower than requests come."}),
		reloads: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_config_reloads_total",
			Help: "Changes of the configuration file by result: accepted or refused."}, []string{"result"}),
		reloaded: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_config_last_reload_successful",
			Help: "1 unless the newest change of the configuration file was refused."}),
		inFlight: f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_http_requests_in_flight",
			Help: "Requests with alerts that are being worked on; limits.inFlight bounds them."}),
		kubeCalls: f.NewHistogramVec(prometheus.HistogramOpts{Name: "stormproof_kubernetes_request_duration_seconds",
			Help: "Time of one attempt at the API server.", Buckets: seconds}, []string{"verb", "resource"}),
		redisCalls: f.NewHistogramVec(prometheus.HistogramOpts{Name: "stormproof_redis_script_duration_seconds",
			Help: "Time of one call of a script in Redis, retries of the client included.", Buckets: seconds}, []string{"script"}),
		redisErrors: f.NewCounterVec(prometheus.CounterOpts{Name: "stormproof_redis_script_errors_total",
			Help: "Calls of a script in Redis that failed."}, []string{"script"}),
		commits: f.NewHistogram(prometheus.HistogramOpts{Name: "stormproof_storm_commit_members",
			Help: "Members of storms that one group commit made durable.", Buckets: []float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000}}),
		storms: f.NewCounter(prometheus.CounterOpts{Name: "stormproof_storms_opened_total",
			Help: "Storms that this gateway opened."}),
	}
	f.NewGauge(prometheus.GaugeOpts{Name: "stormproof_build_info",
		Help: "1; the labels say what was built.", ConstLabels: build()}).Set(1)
	m.reloaded.Set(1)
	// A counter that is not there yet cannot be compared with one that is.
	for _, result := range []string{"accepted", "refused"} {
		m.reloads.WithLabelValues(result)
	}
	for _, script := range []string{"decide", "settle", "free"} {
		m.redisCalls.WithLabelValues(script)
		m.redisErrors.WithLabelValues(script)
	}
	for _, verdict := range intake.Verdicts() {
		m.alerts.WithLabelValues(verdict)
	}
	for _, reason := range refusalReasons() {
		m.refused.WithLabelValues(reason)
	}
	for _, source := range alert.Sources() {
		m.received.WithLabelValues(source.Name())
		m.paced.WithLabelValues(source.Name())
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

// SpansDropped counts spans that were not sent.
func (m *Metrics) SpansDropped(n int) { m.spansLost.Add(float64(n)) }

// Degraded shows whether Redis is lost.
func (m *Metrics) Degraded(lost bool) {
	m.degraded.Set(0)
	if lost {
		m.degraded.Set(1)
	}
}

// WithoutRedis counts alerts that were decided while it was lost.
func (m *Metrics) WithoutRedis(alerts int) { m.without.Add(float64(alerts)) }

// Corrupt counts replaced keys.
func (m *Metrics) Corrupt(n int) { m.corrupt.Add(float64(n)) }

// Limit shows the adaptive limit on calls to the API server; state returns what it allows at
// once, what is under way and what waits.
func (m *Metrics) Limit(state func() (allowed, flying, waiting int)) {
	f := promauto.With(m.Registry)
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "stormproof_kubernetes_calls_allowed",
		Help: "Calls that may be at the API server at once: cut to a half when it throttles, then growing again."},
		func() float64 { allowed, _, _ := state(); return float64(allowed) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "stormproof_kubernetes_calls_in_flight",
		Help: "Calls that are at the API server now."},
		func() float64 { _, flying, _ := state(); return float64(flying) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "stormproof_kubernetes_calls_waiting",
		Help: "Calls that wait until stormproof_kubernetes_calls_allowed lets them go."},
		func() float64 { _, _, waiting := state(); return float64(waiting) })
}

// Committed counts a group commit of a storm's members.
func (m *Metrics) Committed(members int, opened bool) {
	m.commits.Observe(float64(members))
	if opened {
		m.storms.Inc()
	}
}

// Redis counts one call of a script, and says how it went in a word.
func (m *Metrics) Redis(script string, took time.Duration, err error) string {
	m.redisCalls.WithLabelValues(script).Observe(took.Seconds())
	if err != nil {
		m.redisErrors.WithLabelValues(script).Inc()
		return "failed"
	}
	return ok
}

// Kubernetes counts one attempt, and says how it went in a word.
func (m *Metrics) Kubernetes(verb, resource string, took time.Duration, err error) string {
	result := outcome(err)
	m.kubernetes.WithLabelValues(verb, resource, result).Inc()
	m.kubeCalls.WithLabelValues(verb, resource).Observe(took.Seconds())
	return result
}

// ok is how a call went that did not fail.
const ok = "ok"

// reasons bounds a label: an admission webhook may answer with any reason that it likes.
var reasons = []metav1.StatusReason{metav1.StatusReasonUnauthorized, metav1.StatusReasonForbidden, metav1.StatusReasonNotFound,
	metav1.StatusReasonAlreadyExists, metav1.StatusReasonConflict, metav1.StatusReasonGone, metav1.StatusReasonInvalid,
	metav1.StatusReasonServerTimeout, metav1.StatusReasonStoreReadError, metav1.StatusReasonTimeout, metav1.StatusReasonTooManyRequests,
	metav1.StatusReasonBadRequest, metav1.StatusReasonMethodNotAllowed, metav1.StatusReasonRequestEntityTooLarge,
	metav1.StatusReasonInternalError, metav1.StatusReasonExpired, metav1.StatusReasonServiceUnavailable}

func outcome(err error) string {
	var status apierrors.APIStatus
	switch reason := apierrors.ReasonForError(err); {
	case err == nil:
		return ok
	case !errors.As(err, &status):
		return "transport"
	case slices.Contains(reasons, reason):
		return string(reason)
	}
	return "other"
}

// build is what Go knows of how the program was built.
func build() prometheus.Labels {
	out := prometheus.Labels{"version": "unknown", "revision": "unknown", "go_version": runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	out["version"] = info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			out["revision"] = s.Value
		}
	}
	return out
}
