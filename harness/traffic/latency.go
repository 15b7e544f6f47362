package traffic

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range and precision of Latencies: 1 us to 10 min, three digits. All histograms have
// the same, so that any two can be merged.
const (
	leastLatency = time.Microsecond
	mostLatency  = 10 * time.Minute
	digits       = 3
)

// Latencies is a distribution of durations: an HdrHistogram in microseconds, exact to 0.1 %,
// of constant size, mergeable over workers and processes. What lies outside of 1 us to
// 10 min counts as the bound that it passed. It is not safe for concurrent use.
type Latencies struct{ h *hdrhistogram.Histogram }

// NewLatencies is empty.
func NewLatencies() *Latencies {
	return &Latencies{hdrhistogram.New(leastLatency.Microseconds(), mostLatency.Microseconds(), digits)}
}

// Record adds one duration.
func (l *Latencies) Record(d time.Duration) {
	us := min(max(d, leastLatency), mostLatency).Microseconds()
	if err := l.h.RecordValue(us); err != nil {
		panic(fmt.Sprintf("a latency of %d us does not fit its own histogram: %v", us, err))
	}
}

// Merge adds all of other's.
func (l *Latencies) Merge(other *Latencies) { l.h.Merge(other.h) }

// Count is how many were recorded.
func (l *Latencies) Count() int64 { return l.h.TotalCount() }

// At is the latency that a share of p percent did not exceed; 0 when empty. At(100) is the
// slowest.
func (l *Latencies) At(p float64) time.Duration {
	return time.Duration(l.h.ValueAtPercentile(p)) * time.Microsecond
}

// Summary are the usual percentiles, in milliseconds.
type Summary struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50Ms"`
	P90   float64 `json:"p90Ms"`
	P95   float64 `json:"p95Ms"`
	P99   float64 `json:"p99Ms"`
	P999  float64 `json:"p999Ms"`
	Max   float64 `json:"maxMs"`
}

// Summary reads the usual percentiles.
func (l *Latencies) Summary() Summary {
	at := func(p float64) float64 { return float64(l.At(p).Microseconds()) / 1000 }
	return Summary{Count: l.Count(), P50: at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9), Max: at(100)}
}

// stored is the JSON form: the summary to read, and the whole distribution (HdrHistogram's
// compressed V2 encoding, base64) to merge and draw.
type stored struct {
	Summary
	HDR string `json:"hdr"`
}

// MarshalJSON writes the summary and the distribution, a few hundred bytes.
func (l *Latencies) MarshalJSON() ([]byte, error) {
	hdr, err := l.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("encoding latencies: %w", err)
	}
	return json.Marshal(stored{Summary: l.Summary(), HDR: string(hdr)})
}

// UnmarshalJSON reads the distribution back; the summary follows from it.
func (l *Latencies) UnmarshalJSON(b []byte) error {
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("reading latencies: %w", err)
	}
	h, err := hdrhistogram.Decode([]byte(s.HDR))
	if err != nil {
		return fmt.Errorf("decoding latencies: %w", err)
	}
	if h.TotalCount() != s.Count {
		return fmt.Errorf("latencies are damaged: the summary counts %d, the distribution %d", s.Count, h.TotalCount())
	}
	l.h = h
	return nil
}

// Percentile reads the name of one: p50, p99, p99.9, or max.
func Percentile(name string) (float64, error) {
	if name == "max" {
		return 100, nil
	}
	digits, found := strings.CutPrefix(name, "p")
	p, err := strconv.ParseFloat(digits, 64)
	if !found || err != nil || !(p > 0 && p <= 100) {
		return 0, fmt.Errorf("%q is no percentile; write p50, p90, p95, p99, p99.9 or max", name)
	}
	return p, nil
}
