package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Percentile returns the p-th percentile (0..100) of values by the nearest-rank rule: the
// smallest value that at least p % of all are not above. No values give 0. values is not
// changed and need not be sorted.
func Percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Duration writes seconds as people say them: "850 ms", "3.2 s", "4 min 05 s", "1 h 02 min".
func Duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// Percent writes part of whole, cut rather than rounded: 527 of 528 is "99.8 %" and only
// all of them is "100 %". A whole of 0 is "none ran".
func Percent(part, whole int) string {
	if whole == 0 {
		return "none ran"
	}
	tenths := part * 1000 / whole
	if tenths%10 == 0 {
		return fmt.Sprintf("%d %%", tenths/10)
	}
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}

// share writes a probability as a percentage, rounded up so that a bound stays a bound.
func share(p float64) string {
	tenths := math.Ceil(p*1000 - 1e-9)
	if math.Mod(tenths, 10) == 0 {
		return fmt.Sprintf("%.0f %%", tenths/10)
	}
	return fmt.Sprintf("%.1f %%", tenths/10)
}

// Histogram counts values in ranges that grow by about the same factor, as latencies ask
// for: 1, 2, 5, 10, 20, 50 ... milliseconds.
type Histogram struct {
	// Upper is the greatest value of each range in milliseconds; the last range takes
	// everything above the one before it.
	Upper  []float64 `json:"upper"`
	Counts []int     `json:"counts"`
	Total  int       `json:"total"`
	P50    float64   `json:"p50"`
	P95    float64   `json:"p95"`
	P99    float64   `json:"p99"`
	Max    float64   `json:"max"`
}

// latencyRanges are the ends of the ranges of latencies, in milliseconds.
var latencyRanges = []float64{0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000}

// NewHistogram sorts latencies in milliseconds into ranges from 0.5 ms to 10 s and above.
func NewHistogram(ms []float64) Histogram {
	h := Histogram{Upper: slices.Clone(latencyRanges)}
	h.Counts = make([]int, len(h.Upper)+1)
	for _, v := range ms {
		i, _ := slices.BinarySearch(h.Upper, v)
		h.Counts[i]++
	}
	h.Total = len(ms)
	h.P50, h.P95, h.P99, h.Max = Percentile(ms, 50), Percentile(ms, 95), Percentile(ms, 99), Percentile(ms, 100)
	return h
}

// oneLine is the first line of s, without control characters and colour codes.
func oneLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(clean(s)), "\n")
	return strings.TrimSpace(strings.ReplaceAll(line, "\t", " "))
}

// clean removes what XML forbids and people cannot read: colour codes, control characters
// other than tab and newline, and bytes that are not UTF-8.
func clean(s string) string {
	s = colour.ReplaceAllString(strings.ReplaceAll(s, "\r\n", "\n"), "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case r < 0x20 || r == 0x7f || r == 0xfffe || r == 0xffff:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
