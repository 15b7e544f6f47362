package traffic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stormproof/stormproof/harness/traffic"
)

var base = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func generator(t interface{ Fatal(...any) }, p traffic.Profile, seed uint64) *traffic.Generator {
	g, err := traffic.NewGenerator(p, traffic.Input{Seed: seed, Base: base, Name: "load", Path: "/hook", Namespace: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// alerts makes n requests and returns their alerts as sent.
func alerts(t interface{ Fatal(...any) }, g *traffic.Generator, n int) []traffic.Alert {
	var out []traffic.Alert
	for range n {
		r, err := g.Next()
		if err != nil {
			t.Fatal(err)
		}
		var p traffic.Payload
		if err := json.Unmarshal(r.Body, &p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p.Alerts...)
	}
	return out
}

func identity(a traffic.Alert) string { return a.Labels["alertname"] + "/" + a.Labels["pod"] }

// tally sorts alerts into kinds, by what a receiver can see.
func tally(list []traffic.Alert) map[string]int {
	starts, n := map[string]time.Time{}, map[string]int{}
	for _, a := range list {
		last, known := starts[identity(a)]
		switch {
		case a.Status == "resolved":
			n["resolve"]++
		case !known:
			n["fresh"]++
		case a.StartsAt.Equal(last):
			n["duplicate"]++
		default:
			n["refire"]++
		}
		starts[identity(a)] = a.StartsAt
	}
	return n
}

// anyProfile draws a valid one.
func anyProfile(t *rapid.T) traffic.Profile {
	d := rapid.IntRange(0, 100).Draw(t, "duplicates")
	f := rapid.IntRange(0, 100-d).Draw(t, "refires")
	r := rapid.IntRange(0, 100-d-f).Draw(t, "resolves")
	least := rapid.IntRange(0, 300).Draw(t, "min")
	return traffic.Profile{Groups: rapid.IntRange(1, 9).Draw(t, "groups"), Cardinality: rapid.IntRange(1, 40).Draw(t, "cardinality"),
		Duplicates: float64(d) / 100, Refires: float64(f) / 100, Resolves: float64(r) / 100,
		Skew:    traffic.Skew{Groups: rapid.Float64Range(0, 3).Draw(t, "skew"), Fingerprints: rapid.Float64Range(0, 3).Draw(t, "skew of alerts")},
		Padding: traffic.Padding{Min: least, Max: least + rapid.IntRange(0, 300).Draw(t, "more")},
		Batch:   rapid.IntRange(1, 20).Draw(t, "batch")}
}

func TestSameSeedSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, seed := anyProfile(t), rapid.Uint64().Draw(t, "seed")
		a, b := generator(t, p, seed), generator(t, p, seed)
		for range 30 {
			x, errX := a.Next()
			y, errY := b.Next()
			if errX != nil || errY != nil || !bytes.Equal(x.Body, y.Body) || x.ID != y.ID {
				t.Fatalf("%s and %s differ (%v, %v):\n%s\n%s", x.ID, y.ID, errX, errY, x.Body, y.Body)
			}
		}
	})
}

func TestAnotherSeedIsAnotherOrder(t *testing.T) {
	p := traffic.Profile{Groups: 5, Cardinality: 20, Duplicates: 0.5}
	if cmp.Equal(alerts(t, generator(t, p, 1), 100), alerts(t, generator(t, p, 2), 100)) {
		t.Error("seeds 1 and 2 gave the same alerts")
	}
}

func TestAResolveFollowsAFiringAndARepeatRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProfile(t)
		firing := map[string]time.Time{}
		pods := map[string]map[string]bool{}
		for i, a := range alerts(t, generator(t, p, rapid.Uint64().Draw(t, "seed")), 40) {
			id := identity(a)
			start, fires := firing[id]
			if a.Status == "resolved" {
				if !fires || !a.StartsAt.Equal(start) || !a.EndsAt.After(a.StartsAt) {
					t.Fatalf("alert %d resolves %s (startsAt %s, endsAt %s), which fired: %v since %s", i, id, a.StartsAt, a.EndsAt, fires, start)
				}
				delete(firing, id)
				continue
			}
			if fires && a.StartsAt.Before(start) {
				t.Fatalf("alert %d of %s goes back from %s to %s", i, id, start, a.StartsAt)
			}
			firing[id] = a.StartsAt
			if pods[a.Labels["alertname"]] == nil {
				pods[a.Labels["alertname"]] = map[string]bool{}
			}
			pods[a.Labels["alertname"]][a.Labels["pod"]] = true
		}
		if len(pods) > p.Groups {
			t.Fatalf("%d groups, want at most %d", len(pods), p.Groups)
		}
		for group, set := range pods {
			if len(set) > p.Cardinality {
				t.Fatalf("group %s has %d alerts, want at most %d", group, len(set), p.Cardinality)
			}
		}
	})
}

func TestSharesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProfile(t)
		// Resolves take away what they need, so keep enough firing; and never run out of new.
		p.Duplicates, p.Refires, p.Resolves = p.Duplicates/2, p.Refires/4, p.Resolves/8
		p.Groups, p.Cardinality, p.Batch = 2, 1000, 1
		n := rapid.IntRange(20, 400).Draw(t, "n")
		got := tally(alerts(t, generator(t, p, 1), n))
		for kind, share := range map[string]float64{"duplicate": p.Duplicates, "refire": p.Refires, "resolve": p.Resolves,
			"fresh": 1 - p.Duplicates - p.Refires - p.Resolves} {
			if off := math.Abs(float64(got[kind]) - share*float64(n)); off > 2 {
				t.Fatalf("%d of %d alerts are of kind %s, the share is %v", got[kind], n, kind, share)
			}
		}
	})
}

func TestWhatIsImpossibleFallsBack(t *testing.T) {
	for name, c := range map[string]struct {
		profile traffic.Profile
		want    map[string]int
	}{
		"the zero profile":                {traffic.Profile{}, map[string]int{"fresh": 1, "duplicate": 9}},
		"new alerts run out":              {traffic.Profile{Groups: 2, Cardinality: 3}, map[string]int{"fresh": 6, "duplicate": 4}},
		"only duplicates":                 {traffic.Profile{Cardinality: 5, Duplicates: 1}, map[string]int{"fresh": 1, "duplicate": 9}},
		"only resolves":                   {traffic.Profile{Resolves: 1}, map[string]int{"fresh": 1, "resolve": 5, "refire": 4}},
		"only refires":                    {traffic.Profile{Refires: 1}, map[string]int{"fresh": 1, "refire": 9}},
		"half of everything is a repeat":  {traffic.Profile{Cardinality: 9, Duplicates: 0.5}, map[string]int{"fresh": 5, "duplicate": 5}},
		"new, resolve, new, resolve, ...": {traffic.Profile{Cardinality: 9, Resolves: 0.5}, map[string]int{"fresh": 5, "resolve": 5}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, tally(alerts(t, generator(t, c.profile, 7), 10))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSkewMakesTheFirstGroupsLarger(t *testing.T) {
	count := func(p traffic.Profile, label string) map[string]int {
		n := map[string]int{}
		for _, a := range alerts(t, generator(t, p, 3), 4000) {
			n[a.Labels[label]]++
		}
		return n
	}
	p := traffic.Profile{Groups: 4, Cardinality: 10000}
	if n := count(p, "alertname"); n["Load1"] > 1150 || n["Load4"] < 850 {
		t.Errorf("without skew: %v, want about 1000 each", n)
	}
	p.Skew.Groups = 2 // weights 1, 1/4, 1/9, 1/16: 70 %, 18 %, 8 %, 4 %
	if n := count(p, "alertname"); n["Load1"] < 2650 || n["Load1"] > 2950 || n["Load4"] > 250 {
		t.Errorf("with exponent 2: %v, want about 2810, 702, 312, 176", n)
	}
	p = traffic.Profile{Cardinality: 100, Duplicates: 0.9, Skew: traffic.Skew{Fingerprints: 2}}
	if n := count(p, "pod"); n["pod-1"] < 2000 {
		t.Errorf("pod-1 was sent %d times of 4000, want more than half", n["pod-1"])
	}
}

func TestPaddingHasTheSizesAskedFor(t *testing.T) {
	for _, p := range []traffic.Padding{{Min: 1024}, {Min: 10, Max: 20}} {
		most := max(p.Min, p.Max)
		sizes := map[int]bool{}
		for _, a := range alerts(t, generator(t, traffic.Profile{Padding: p}, 1), 300) {
			n := len(a.Annotations["padding"])
			sizes[n] = true
			if n < p.Min || n > most {
				t.Fatalf("%d bytes, want %d..%d", n, p.Min, most)
			}
		}
		if len(sizes) != most-p.Min+1 {
			t.Errorf("%+v: %d different sizes in 300 alerts, want %d", p, len(sizes), most-p.Min+1)
		}
	}
}

func TestRequestsSayWhatIsInThem(t *testing.T) {
	g := generator(t, traffic.Profile{Cardinality: 9, Batch: 3, Alertname: "Disk", Labels: map[string]string{"severity": "warning", "team": "db"}}, 1)
	r, err := g.Next()
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != "load-1/1" || r.Name != "load" || r.Path != "/hook" || r.Method != http.MethodPost || len(r.Alerts) != 3 {
		t.Errorf("request %+v", r)
	}
	want := map[string]string{"alertname": "Disk1", "pod": "pod-3", "namespace": "shop", "severity": "warning", "team": "db"}
	if diff := cmp.Diff(want, r.Alerts[2].Labels); diff != "" {
		t.Error(diff)
	}
}

func TestABadProfileSaysEverythingThatIsWrong(t *testing.T) {
	p := traffic.Profile{Groups: -1, Duplicates: 1.5, Resolves: math.NaN(), Padding: traffic.Padding{Min: 9, Max: 3},
		Skew: traffic.Skew{Groups: math.Inf(1)}}
	_, err := traffic.NewGenerator(p, traffic.Input{Name: "x"})
	if err == nil {
		t.Fatal("the profile was taken")
	}
	for _, word := range []string{"duplicates", "resolves", "groups", "padding", "skew"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the message does not name %s: %v", word, err)
		}
	}
	for _, bad := range []traffic.Profile{{Duplicates: 0.6, Resolves: 0.6}, {Groups: 10_000, Cardinality: 10_000},
		{Groups: math.MaxInt, Cardinality: math.MaxInt}, {Batch: -1}, {Padding: traffic.Padding{Min: -1}}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestAProfileReadsFromYAML(t *testing.T) {
	var p traffic.Profile
	text := "groups: 3\nduplicates: 0.25\nskew: {groups: 1.2}\npadding: {min: 1024, max: 2048}\nbatch: 5\n"
	if err := yaml.UnmarshalWithOptions([]byte(text), &p, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	want := traffic.Profile{Groups: 3, Duplicates: 0.25, Skew: traffic.Skew{Groups: 1.2}, Padding: traffic.Padding{Min: 1024, Max: 2048}, Batch: 5}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
}

func ExampleGenerator() {
	g, err := traffic.NewGenerator(traffic.Profile{Cardinality: 3, Duplicates: 0.5}, traffic.Input{Name: "demo", Path: "/hook"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 4 {
		r, err := g.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.ID, r.Alerts[0].Labels["alertname"], r.Alerts[0].Labels["pod"])
	}
	// Output:
	// demo-1/1 Load1 pod-1
	// demo-2/1 Load1 pod-1
	// demo-3/1 Load1 pod-2
	// demo-4/1 Load1 pod-1
}
