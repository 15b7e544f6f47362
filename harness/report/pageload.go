package report

import (
	"encoding/json"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// pageLoad is what the page draws of a load step.
type pageLoad struct {
	ID      string `json:"id"`
	Planned int    `json:"planned"`
	Sent    int    `json:"sent"`
	Late    int    `json:"late"`
	Dropped int    `json:"dropped"`
	Unacked int    `json:"unacked"`
	// Aimed is 0 for a closed loop, Reached 0 where the duration is not known; requests a second.
	Aimed   float64 `json:"aimed"`
	Reached float64 `json:"reached"`
	// Percentiles are p50, p90, p99, p99.9 and the slowest, in milliseconds.
	Percentiles [5]float64 `json:"p"`
	// Upper are the ends of the ranges in milliseconds, 0 for no end, Counts how many requests
	// each has; both are empty for a report without the distribution.
	Upper  []float64 `json:"upper"`
	Counts []int64   `json:"counts"`
}

func newPageLoad(l LoadResult) pageLoad {
	p := pageLoad{ID: oneLine(l.ID), Planned: l.Planned, Sent: l.Sent, Late: l.Late, Dropped: l.Dropped,
		Unacked: l.Unacked, Aimed: l.Rate, Upper: []float64{}, Counts: []int64{}}
	if l.DurationS > 0 {
		p.Reached = tenth(float64(l.Sent) / l.DurationS)
	}
	var latency struct {
		P50  float64 `json:"p50Ms"`
		P90  float64 `json:"p90Ms"`
		P99  float64 `json:"p99Ms"`
		P999 float64 `json:"p999Ms"`
		Max  float64 `json:"maxMs"`
		HDR  string  `json:"hdr"`
	}
	if json.Unmarshal(l.Latency, &latency) != nil {
		return p // the numbers above are true all the same
	}
	p.Percentiles = [5]float64{tenth(latency.P50), tenth(latency.P90), tenth(latency.P99), tenth(latency.P999), tenth(latency.Max)}
	if h, err := hdrhistogram.Decode([]byte(latency.HDR)); err == nil {
		p.Upper, p.Counts = ranges(h)
	}
	return p
}

// ranges counts what an HdrHistogram in microseconds holds in the ranges of a Histogram, from
// the first that is not empty to the last. The end of the last of all, above 10 s, is 0.
func ranges(h *hdrhistogram.Histogram) (upper []float64, counts []int64) {
	upper = append(slices.Clone(latencyRanges), 0)
	counts = make([]int64, len(upper))
	for _, bar := range h.Distribution() {
		i, _ := slices.BinarySearch(latencyRanges, float64(bar.To)/1000)
		counts[i] += bar.Count
	}
	filled := func(n int64) bool { return n > 0 }
	first := slices.IndexFunc(counts, filled)
	if first < 0 {
		return []float64{}, []int64{}
	}
	last := len(counts) - 1
	for counts[last] == 0 {
		last--
	}
	return upper[first : last+1], counts[first : last+1]
}
