package traffic_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stormproof/stormproof/harness/traffic"
)

// drawn are durations between 1 us and 10 min.
func drawn(t *rapid.T, name string) []time.Duration {
	us := rapid.SliceOfN(rapid.Int64Range(1, 600_000_000), 1, 200).Draw(t, name)
	out := make([]time.Duration, len(us))
	for i, v := range us {
		out[i] = time.Duration(v) * time.Microsecond
	}
	return out
}

func recorded(lists ...[]time.Duration) *traffic.Latencies {
	l := traffic.NewLatencies()
	for _, list := range lists {
		for _, d := range list {
			l.Record(d)
		}
	}
	return l
}

func TestPercentilesAreExactToAThousandth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawn(t, "latencies")
		l := recorded(list)
		slices.Sort(list)
		for _, p := range []float64{50, 90, 95, 99, 99.9, 100} {
			// Of few values, p90 may be the one on either side of the exact rank.
			rank := p / 100 * float64(len(list))
			least, most := list[max(1, int(math.Floor(rank)))-1], list[max(1, int(math.Ceil(rank)))-1]
			slack := most/1000 + time.Microsecond
			if got := l.At(p); got < least-slack || got > most+slack {
				t.Fatalf("p%v of %d: %s, want %s to %s", p, len(list), got, least, most)
			}
		}
	})
}

func TestMergedIsAsRecordedTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawn(t, "a"), drawn(t, "b")
		merged := recorded(a)
		merged.Merge(recorded(b))
		if diff := cmp.Diff(recorded(a, b).Summary(), merged.Summary()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestLatenciesSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := recorded(drawn(t, "latencies"))
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		back := traffic.NewLatencies()
		if err := json.Unmarshal(b, back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l.Summary(), back.Summary()); diff != "" {
			t.Fatal(diff)
		}
		if len(b) > 3000 {
			t.Fatalf("%d bytes of JSON for %d latencies", len(b), l.Count())
		}
		back.Merge(l) // what was read can be merged on
		if back.Count() != 2*l.Count() {
			t.Fatalf("%d after merging, want %d", back.Count(), 2*l.Count())
		}
	})
}

func TestOutOfRangeCountsAsTheBound(t *testing.T) {
	l := recorded([]time.Duration{-time.Second, 0, time.Hour})
	if l.Count() != 3 || l.At(50) != time.Microsecond || l.At(100).Round(time.Second) != 10*time.Minute {
		t.Errorf("count %d, p50 %s, max %s; want 3, 1µs, 10m0s", l.Count(), l.At(50), l.At(100))
	}
}

func TestNoLatenciesAreZero(t *testing.T) {
	if diff := cmp.Diff(traffic.Summary{}, traffic.NewLatencies().Summary()); diff != "" {
		t.Error(diff)
	}
}

func TestDamagedLatenciesAreRefused(t *testing.T) {
	for _, text := range []string{`{}`, `{"count":1,"hdr":"x"}`, `[]`} {
		if err := json.Unmarshal([]byte(text), traffic.NewLatencies()); err == nil {
			t.Errorf("%s was read", text)
		}
	}
	b, err := json.Marshal(recorded([]time.Duration{time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	doc["count"] = 2
	if b, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, traffic.NewLatencies()); err == nil {
		t.Error("a summary that does not fit its distribution was read")
	}
}

func TestPercentileNames(t *testing.T) {
	for name, want := range map[string]float64{"p50": 50, "p99.9": 99.9, "max": 100, "p100": 100} {
		if got, err := traffic.Percentile(name); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "p", "50", "p0", "p101", "pNaN", "p-1", "P50"} {
		if got, err := traffic.Percentile(name); err == nil {
			t.Errorf("%q was read as %v", name, got)
		}
	}
}
