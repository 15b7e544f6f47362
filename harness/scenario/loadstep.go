package scenario

import (
	"fmt"
	"strings"

	"github.com/stormproof/stormproof/harness/traffic"
)

// LoadStep sends a profile of alerts at a rate or back to back. A request that is dropped
// because there was no time left to send it fails the step.
type LoadStep struct {
	ID            string              `yaml:"id" json:"id" jsonschema_description:"Name for answers[id] in expressions."`
	Profile       traffic.Profile     `yaml:"profile,omitempty" json:"profile,omitempty" jsonschema_description:"What the alerts are. The run's seed decides which alert comes when, never how many of each kind."`
	Rate          float64             `yaml:"rate,omitempty" json:"rate,omitempty" jsonschema:"exclusiveMinimum=0,maximum=10000" jsonschema_description:"Requests per second (open loop). Default: a closed loop over connections."`
	Poisson       bool                `yaml:"poisson,omitempty" json:"poisson,omitempty" jsonschema_description:"Spread the requests of a rate as independent senders would. Default: evenly."`
	Connections   int                 `yaml:"connections,omitempty" json:"connections,omitempty" jsonschema:"minimum=1,maximum=256" jsonschema_description:"Requests in flight at most. Default 64 with a rate, else 1."`
	For           Duration            `yaml:"for,omitempty" json:"for,omitempty" jsonschema_description:"How long to send. Default: until count."`
	Count         int                 `yaml:"count,omitempty" json:"count,omitempty" jsonschema:"minimum=1,maximum=100000" jsonschema_description:"Requests at most. Default: until 'for'."`
	Retry         bool                `yaml:"retry,omitempty" json:"retry,omitempty" jsonschema_description:"Behave as Alertmanager does: repeat on 5xx and on transport errors until acknowledged, for 30 s at most."`
	Replica       int                 `yaml:"replica,omitempty" json:"replica,omitempty" jsonschema:"minimum=1" jsonschema_description:"Send to this gateway only, from 1. Default: each in turn."`
	Path          string              `yaml:"path,omitempty" json:"path,omitempty"`
	Answers       map[string]int      `yaml:"answers,omitempty" json:"answers,omitempty" jsonschema_description:"Exact number of answers by HTTP status; 'none' counts requests without an answer."`
	Verdicts      map[string]int      `yaml:"verdicts,omitempty" json:"verdicts,omitempty" jsonschema_description:"Exact number of alerts by verdict."`
	AnswersWithin map[string]Duration `yaml:"answersWithin,omitempty" json:"answersWithin,omitempty" jsonschema_description:"Bounds on latency percentiles, from the intended time of each request: p50, p99, p99.9, ..., max."`
}

// Arrival is when the requests are sent.
func (l *LoadStep) Arrival() traffic.Arrival {
	return traffic.Arrival{Rate: l.Rate, Poisson: l.Poisson, Connections: l.Connections, Count: l.Count, For: l.For.D()}
}

func (l *LoadStep) loop() string {
	if l.Rate > 0 {
		return fmt.Sprintf("%g/s", l.Rate)
	}
	return fmt.Sprintf("%d connections", max(1, l.Connections))
}

func (l *linter) loads() {
	for _, v := range l.steps {
		if v.Load != nil {
			l.load(v.path+".load", v.Load)
		}
	}
}

func (l *linter) load(field string, s *LoadStep) {
	if err := s.Profile.Validate(); err != nil {
		l.addError(field+".profile", err, "see Load in TESTING.md")
	}
	if err := s.Arrival().Validate(); err != nil {
		l.addError(field, err, "give it a rate or connections, and an end: count or for")
	}
	for _, name := range sortedKeys(s.AnswersWithin) {
		if _, err := traffic.Percentile(name); err != nil {
			l.addError(field+".answersWithin."+name, err, "write for example answersWithin: {p99: 500ms, max: 2s}")
		}
	}
}

// addError adds a problem for an error, which may say itself what to type instead.
func (l *linter) addError(field string, err error, suggestion string) {
	message, own, says := strings.Cut(oneLine(err), "; ")
	if says {
		suggestion = own
	}
	l.add(field, message, suggestion)
}

// oneLine is an error that joins several, on one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
