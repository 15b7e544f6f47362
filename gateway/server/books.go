package server

import (
	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
)

// books are the accounts of one request. At any moment, summed over everything,
//
//	received = created + duplicate + member + resolved + ignored + invalid + refused + pending
//
// and an alert that left the gateway by a way that nobody thought of shows as a difference.
type books struct {
	metrics *Metrics
	open    int
}

// receive opens the books of a batch.
func (m *Metrics) receive(source string, b alert.Batch) *books {
	m.received.WithLabelValues(source).Add(float64(b.Len()))
	m.pending.Add(float64(b.Len()))
	m.truncated.Add(float64(b.Truncated))
	return &books{metrics: m, open: b.Len()}
}

// book gives one alert its verdict, with the reason where it was not taken.
func (b *books) book(verdict, reason string) {
	if reason != "" {
		b.metrics.refused.WithLabelValues(reason).Inc()
	}
	b.metrics.alerts.WithLabelValues(verdict).Inc()
	b.metrics.pending.Dec()
	b.open--
}

// refuse books one alert of a batch that is sent back.
func (b *books) refuse(reason string) { b.book(intake.Refused, reason) }

// close books what has no verdict by now as refused, whatever the reason, a panic included.
func (b *books) close() {
	for b.open > 0 {
		b.refuse(unknownReason)
	}
}
