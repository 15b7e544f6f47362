package fault

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestValidateNamesTheFieldAndTheFix(t *testing.T) {
	redis := func(kind string, change func(*Spec)) Spec {
		s := Spec{ID: "f", Target: Redis, Kind: kind}
		change(&s)
		return s
	}
	kube := func(kind string, change func(*Spec)) Spec {
		s := redis(kind, change)
		s.Target = Kubernetes
		return s
	}
	none := func(*Spec) {}
	tests := map[string]struct {
		spec       Spec
		field, fix string
	}{
		"a target is needed":                     {Spec{Kind: Cut}, "target", "redis, kubernetes"},
		"a misspelt target gets the nearest":     {Spec{Target: "kubernets", Kind: Hang}, "target", "did you mean kubernetes?"},
		"a misspelt kind gets the nearest":       {redis("latncy", none), "kind", "did you mean latency?"},
		"a kind of the other target is unknown":  {redis(WatchDrop, none), "kind", "Valid: latency, bandwidth, cut"},
		"negative times are refused":             {redis(Cut, func(s *Spec) { s.Times = -1 }), "times", "until healed"},
		"negative after is refused":              {redis(Cut, func(s *Spec) { s.After = -1 }), "after", "pass first"},
		"latency needs a delay":                  {redis(Latency, none), "delay", "500ms"},
		"a delay under a millisecond is none":    {redis(Latency, func(s *Spec) { s.Delay = time.Microsecond }), "delay", "1ms"},
		"a setting of another kind is refused":   {redis(Cut, func(s *Spec) { s.Delay = time.Second }), "delay", "kind: latency"},
		"status needs an error code":             {kube(Status, func(s *Spec) { s.Code = 200 }), "code", "400 to 599"},
		"negative retryAfter is refused":         {kube(Status, func(s *Spec) { s.Code, s.RetryAfter = 429, -1 }), "retryAfter", "seconds"},
		"bandwidth under 1000 is refused":        {redis(Bandwidth, func(s *Spec) { s.BytesPerSecond = 999 }), "bytesPerSecond", "1000"},
		"slow-body needs a rate":                 {kube(SlowBody, none), "bytesPerSecond", "at least 1"},
		"a command is for Redis alone":           {kube(Hang, func(s *Spec) { s.Match.Command = "GET" }), "match.command", "remove"},
		"a resource is for Kubernetes alone":     {redis(Hang, func(s *Spec) { s.Match.Resource = "pods" }), "match.resource", "remove"},
		"a cut has no command":                   {redis(Cut, func(s *Spec) { s.Match.Command = "GET" }), "match.command", "remove"},
		"a misspelt verb gets the nearest":       {kube(Hang, func(s *Spec) { s.Match.Verb = "craete" }), "match.verb", "did you mean create?"},
		"a create has no name in its URL":        {kube(Hang, func(s *Spec) { s.Match.Verb, s.Match.Name = "create", "x" }), "match.name", "resource"},
		"watch-drop meets watches alone":         {kube(WatchDrop, func(s *Spec) { s.Match.Verb = "list" }), "match.verb", "watch"},
		"reply-lost is not for watches":          {kube(ReplyLost, func(s *Spec) { s.Match.Verb = "watch" }), "match.verb", "watch-drop"},
		"only status faults use a given reason":  {kube(Reset, func(s *Spec) { s.Reason = "x" }), "reason", "kind: status"},
		"only status faults use a given restart": {kube(Reset, func(s *Spec) { s.RetryAfter = 1 }), "retryAfter", "kind: status"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got *SpecError
			if err := Validate(tc.spec); !errors.As(err, &got) {
				t.Fatalf("Validate = %v, want a *SpecError", err)
			}
			if got.Field != tc.field || !strings.Contains(got.Fix, tc.fix) {
				t.Errorf("got %q, want field %q and a fix with %q", got, tc.field, tc.fix)
			}
		})
	}
}

func TestValidateAcceptsEveryKind(t *testing.T) {
	for _, target := range []string{Redis, Kubernetes} {
		for _, kind := range Kinds(target) {
			s := Spec{Target: target, Kind: kind}
			switch kind {
			case Latency:
				s.Delay = time.Second
			case Status:
				s.Code = 503
			case Bandwidth, SlowBody:
				s.BytesPerSecond = 1000
			}
			if err := Validate(s); err != nil {
				t.Errorf("%s %s: %v", target, kind, err)
			}
		}
	}
	if got := Kinds("disk"); got != nil {
		t.Errorf("Kinds of an unknown target = %v, want none", got)
	}
}
