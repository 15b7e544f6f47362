package report_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/stormproof/stormproof/harness/report"
)

// sampleCategories are realistic enough to judge the dashboard by eye.
var sampleCategories = []struct {
	name, prefix string
	titles       []string
}{
	{"storm", "STO", []string{
		"a storm of 500 alerts opens at most ten RemediationRequests",
		"two replicas under one storm agree on one storm object",
		"a storm closes when its window passes without a new member",
		"members are durable before the acknowledgement",
		"a second storm of the same group is a new incident",
		"a resolved alert does not join a storm",
	}},
	{"deduplication", "DED", []string{
		"a repeat inside the window is a duplicate",
		"a repeat after the window opens incarnation two",
		"an active incident holds its window open",
		"severity is not part of an alert's identity",
		"two disks of one node stay two incidents",
		"three senders deliver one batch at one moment",
	}},
	{"redis-resilience", "RED", []string{
		"a reply lost after commit does not duplicate the incident",
		"a failover in the middle of a batch loses nothing",
		"an empty Redis after a restart is rebuilt from the cluster",
		"Redis that hangs costs the deadline, not the alert",
		"NOSCRIPT after a restart is answered by loading the script",
		"out of memory is said with 503",
	}},
	{"kubernetes-api", "KUB", []string{
		"429 with Retry-After is honoured within the deadline",
		"a create whose reply is lost is found again",
		"a dropped watch does not stop counting",
		"a terminating namespace uses the fallback",
		"real throttling by a priority level ends in 503",
		"a hanging API server does not exhaust connections",
	}},
	{"security", "SEC", []string{
		"no credentials get 401 and leave no trace",
		"a token never appears in the log",
		"labels beyond the limit are refused by index",
		"a body that is too large gets 413",
		"an unknown client certificate ends the handshake",
		"metrics do not carry label values of alerts",
	}},
}

// sampleReport builds a deterministic report: perCategory scenarios of five categories
// (the titles repeat after six), executed runs times. A red one has a broken promise, an
// inconclusive fault, residue, an environment error and text that tries to break out of
// the page.
func sampleReport(perCategory, runs int, red bool) report.Report {
	rng := rand.New(rand.NewPCG(7, 11))
	start := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	r := report.Report{
		Schema: report.Schema, Title: "Quality gate of the Stormproof gateway", Started: start,
		Environment: report.Environment{
			Choices: []report.Choice{
				{Part: "cluster", Chosen: "envtest 1.36", Reason: "no Docker or Podman daemon answers, so Kind is out; assets found in the cache"},
				{Part: "redis", Chosen: "redis-server 7.0.15", Reason: "no container engine; found on PATH"},
				{Part: "topology", Chosen: "standalone", Reason: "the default; Sentinel and Cluster run where a scenario needs them"},
				{Part: "gateway", Chosen: "in process, 2 replicas", Reason: "fastest way that can still be killed at every named step"},
			},
			Commit: "3f9c2ab", Tree: "9a1be07f", Go: "go1.26.0", OS: "linux/amd64", CPUs: 2, Race: true, StartedMS: 3320,
		},
	}
	for run := range runs {
		r.Runs = append(r.Runs, sampleRun(rng, start.Add(time.Duration(run)*4*time.Minute), run, perCategory, red))
	}
	r.Count(perCategory * len(sampleCategories))
	r.Gate, r.Flake = sampleGate(r, red)
	for i, p := range []int{61, 70, 77, 84, 85, 89} {
		r.Trend = append(r.Trend, report.Past{Label: fmt.Sprintf("gate of commit %07x", 0xa1b2c3d+i*4711), When: start.AddDate(0, 0, i*3-21), Passed: p, Scenarios: 90})
	}
	return r
}

func sampleRun(rng *rand.Rand, started time.Time, index, perCategory int, red bool) report.Run {
	run := report.Run{Seed: 7331_000_000_000_001 + int64(index)*97, Order: "random", Procs: []int{4, 2, 1}[index%3], Started: started}
	for _, c := range sampleCategories {
		for i := range perCategory {
			s := sampleScenario(rng, fmt.Sprintf("%s-%02d", c.prefix, i+1), c.titles[i%len(c.titles)], c.name, run.Seed)
			if red {
				breakSample(&s, index)
			}
			run.DurationS += s.DurationS / float64(run.Procs)
			run.Scenarios = append(run.Scenarios, s)
		}
	}
	return run
}

func sampleScenario(rng *rand.Rand, id, title, category string, seed int64) report.Scenario {
	s := report.Scenario{
		ID: id, Title: title, Category: category, File: "scenarios/" + category + "/" + id + ".yaml",
		Status: report.Passed, Promises: map[string]string{}, Faults: []report.Fault{}, Residue: []string{},
		Replay: fmt.Sprintf("go run ./harness/cmd/stormproof run scenarios/%s/%s.yaml --seed %d", category, id, seed),
	}
	for i := 1; i <= 9; i++ {
		s.Promises[fmt.Sprintf("P%d", i)] = "pass"
	}
	s.Promises["P8"] = "not-judged"
	at := 0.0
	for _, name := range []string{"send: first alert of the group", "fault: arm", "storm: 120 alerts, 40 a second", "eventually: one RemediationRequest", "consistently: nothing else appears", "advance: six minutes"} {
		took := 40 + rng.ExpFloat64()*220
		s.Steps = append(s.Steps, report.Step{Name: name, StartMS: at, DurationMS: took})
		at += took
	}
	for range 60 {
		when, took := rng.Float64()*s.Steps[3].StartMS, 1.5+rng.ExpFloat64()*9
		s.Marks = append(s.Marks, report.Mark{Kind: "request", Label: "POST alertmanager", AtMS: when, DurationMS: took, OK: true})
		s.Latency = append(s.Latency, took)
	}
	if category == "redis-resilience" || category == "kubernetes-api" {
		s.Faults = []report.Fault{{ID: "f1", Target: "redis", Kind: "reply-lost", Planned: 1, Matched: 3, Applied: 1}}
		s.Marks = append(s.Marks, report.Mark{Kind: "fault", Label: "reply lost on EVALSHA", AtMS: s.Steps[1].StartMS, DurationMS: at * 0.3, OK: true})
		for i := 50; i < 54; i++ {
			s.Marks[i].OK = false
		}
	}
	s.Marks = append(s.Marks, report.Mark{Kind: "advance", Label: "clock +6m", AtMS: s.Steps[5].StartMS, OK: true})
	s.DurationS = at / 1000
	s.Requests, s.Refused = 60, 0
	if len(s.Faults) > 0 {
		s.Refused = 4
	}
	if id == "RED-02" {
		s.Requests, s.Refused = 500, 37
		s.Loads = []report.LoadResult{sampleLoad(rng, "steady", 500, 100), sampleLoad(rng, "closed", 120, 0)}
	}
	return s
}

// sampleLoad is a load whose latencies have a tail, as a failover gives them.
func sampleLoad(rng *rand.Rand, id string, n int, rate float64) report.LoadResult {
	h := hdrhistogram.New(1, 60_000_000, 3)
	for i := range n {
		ms := 3 + rng.ExpFloat64()*5
		if i%12 == 0 {
			ms = 200 + rng.ExpFloat64()*400
		}
		if err := h.RecordValue(int64(ms * 1000)); err != nil {
			panic(err)
		}
	}
	hdr, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		panic(err)
	}
	at := func(p float64) float64 { return float64(h.ValueAtPercentile(p)) / 1000 }
	latency, err := json.Marshal(map[string]any{"count": n, "p50Ms": at(50), "p90Ms": at(90), "p95Ms": at(95), "p99Ms": at(99),
		"p999Ms": at(99.9), "maxMs": at(100), "hdr": string(hdr)})
	if err != nil {
		panic(err)
	}
	l := report.LoadResult{ID: id, Planned: n, Sent: n, Rate: rate, DurationS: float64(n) / 98.6, Latency: latency}
	if rate > 0 {
		l.Sent, l.Dropped, l.Late, l.Unacked = n-2, 2, 11, 37
	}
	return l
}

// breakSample makes a few scenarios red in their own ways.
func breakSample(s *report.Scenario, run int) {
	switch {
	case s.ID == "STO-02" && run == 1:
		fail(s, report.Failed, `2 storm objects for group "PodCrashLooping/shop", want 1`)
		s.Promises["P3"], s.Promises["P2"] = "fail", "fail"
		s.Steps[3].Failed = true
		s.Detail = "expected  1 storm RemediationRequest\nseen      2\n\n  storms[0].name: \"rr-5ac1-1\"\n- storms: 1\n+ storms: 2\n\x1b[31mlast error\x1b[0m: context deadline exceeded </script><script>document.title='broken out'</script>"
		s.Artefacts = []string{"failures/STO-02/2/history.jsonl", "failures/STO-02/2/gateway.log"}
	case s.ID == "RED-02":
		fail(s, report.Failed, fmt.Sprintf("alert %d of 120 was acknowledged and is visible nowhere", 17+run*31))
		s.Promises["P1"] = "fail"
		s.Steps[3].Failed = true
	case s.ID == "KUB-05" && run == 0:
		fail(s, report.Inconclusive, "fault f1 matched 0 requests: nothing was proven")
		s.Faults[0].Matched, s.Faults[0].Applied = 0, 0
		s.Promises["P6"] = "inconclusive"
	case s.ID == "SEC-03" && run == 2:
		fail(s, report.Failed, "left 1 Redis key behind")
		s.Promises["P7"] = "fail"
		s.Residue = []string{"redis-key sp:sec03:win:5ac1 (no TTL)"}
	case s.ID == "SEC-05" && run == 2:
		fail(s, report.EnvError, "the API server did not answer /readyz within 20s")
	}
}

func fail(s *report.Scenario, status report.Status, cause string) {
	s.Status, s.FirstCause, s.Signature = status, cause, report.Signature(cause)
}

func sampleGate(r report.Report, red bool) (*report.Gate, *report.Flake) {
	g := &report.Gate{Verdict: "pass", Criteria: []report.Criterion{
		{Name: "unit runs", Want: "3 green", Got: "3 green of 3", Pass: true},
		{Name: "lint issues", Want: "0", Got: "0", Pass: true},
		{Name: "integration runs", Want: "3 green, all seeds different", Got: "3 green of 3", Pass: true},
		{Name: "pass rate", Want: "100 %", Got: report.Percent(r.Totals.Passed, r.Totals.Expected), Pass: true},
		{Name: "residue", Want: "0", Got: "0", Pass: true},
		{Name: "faults applied", Want: "all as planned", Got: "36 of 36", Pass: true},
		{Name: "promises judged", Want: "P1 P2 P3 P5 P6 P7 in every run", Got: "all in every run", Pass: true},
	}}
	f := &report.Flake{Runs: 3, UpperBound95: 0.6315968, Method: "clopper-pearson", RunsFor5Pct: 56, RunsFor1Pct: 296, Power: map[string]float64{"p05": 0.142625, "p20": 0.488}}
	if red {
		g.Verdict = "fail"
		for i, got := range map[int]string{2: "0 green of 3", 3: report.Percent(r.Totals.Passed, r.Totals.Expected), 4: "1: SEC-03 run 3, redis-key sp:sec03:win:5ac1 (no TTL)", 5: "35 of 36: KUB-05 run 1, f1 planned 1, applied 0"} {
			g.Criteria[i].Got, g.Criteria[i].Pass = got, false
		}
		f.Failures, f.UpperBound95, f.RunsFor5Pct, f.RunsFor1Pct = 3, 1, 151, 771
	}
	return g, f
}
