package report

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestAPageLoadHasRatesErrorsAndRanges(t *testing.T) {
	h := hdrhistogram.New(1, 60_000_000, 3)
	for _, ms := range []int64{3, 4, 40, 11_000} {
		if err := h.RecordValue(ms * 1000); err != nil {
			t.Fatal(err)
		}
	}
	hdr, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	latency, err := json.Marshal(map[string]any{"p50Ms": 4.04, "p90Ms": 40, "p99Ms": 11000, "p999Ms": 11000, "maxMs": 11000, "hdr": string(hdr)})
	if err != nil {
		t.Fatal(err)
	}
	got := newPageLoad(LoadResult{ID: "steady", Planned: 6, Sent: 4, Late: 1, Dropped: 2, Unacked: 3, Rate: 10, DurationS: 0.5, Latency: latency})
	if got.ID != "steady" || got.Planned != 6 || got.Sent != 4 || got.Late != 1 || got.Dropped != 2 || got.Unacked != 3 || got.Aimed != 10 || got.Reached != 8 {
		t.Errorf("%+v", got)
	}
	if want := [5]float64{4, 40, 11000, 11000, 11000}; got.Percentiles != want {
		t.Errorf("percentiles %v, want %v", got.Percentiles, want)
	}
	if want := []float64{5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 0}; !slices.Equal(got.Upper, want) {
		t.Errorf("ranges end at %v, want %v", got.Upper, want)
	}
	if want := []int64{2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}; !slices.Equal(got.Counts, want) {
		t.Errorf("counts %v, want %v", got.Counts, want)
	}
}

func TestAPageLoadOfAnOlderReportHasWhatItHas(t *testing.T) {
	for name, latency := range map[string]string{"nothing": "", "no distribution": `{"p50Ms": 1}`, "a damaged one": `{"p50Ms": 1, "hdr": "HISTFAAA"}`} {
		t.Run(name, func(t *testing.T) {
			got := newPageLoad(LoadResult{Sent: 3, Latency: json.RawMessage(latency)})
			if got.Sent != 3 || got.Reached != 0 || len(got.Counts) != 0 || got.Upper == nil || got.Counts == nil {
				t.Errorf("%+v", got)
			}
		})
	}
}
