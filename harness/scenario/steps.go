package scenario

import (
	"fmt"
	"strings"

	"github.com/stormproof/stormproof/harness/fault"
)

// Name says in a few words what a step does.
func (s *Step) Name() string {
	switch {
	case s.Send != nil:
		return "send " + s.Send.ID
	case s.Storm != nil:
		return fmt.Sprintf("storm %s of %d", s.Storm.ID, s.Storm.Count)
	case s.Load != nil:
		return "load " + s.Load.ID + ", " + s.Load.loop()
	case s.Advance != nil:
		return "advance " + s.Advance.D().String()
	case s.Fault != nil:
		return "fault " + s.Fault.ID + ": " + s.Fault.Target + " " + s.Fault.Kind
	case s.Heal != nil:
		return "heal " + *s.Heal
	case s.Expect != nil:
		return "expect " + s.Expect.That
	case s.Eventually != nil:
		return "eventually " + s.Eventually.That
	case s.Consistently != nil:
		return "consistently " + s.Consistently.That
	case s.Phase != nil:
		return "phase " + s.Phase.To
	case s.Delete != nil:
		return "delete"
	case s.Apply != nil:
		return "apply"
	case s.Refused != nil:
		return "refused as " + s.Refused.Reason
	case s.Withdraw != nil:
		return "withdraw"
	case s.Redis != nil:
		return "redis " + s.Redis.What()
	case s.APIServer != nil:
		return "API server: " + *s.APIServer
	case s.Restart != nil:
		return "restart"
	case s.Reload != nil:
		return "reload"
	case s.Crash != nil:
		return "crash " + s.Crash.Name() + " at " + s.Crash.Point()
	case s.Kill != nil:
		return fmt.Sprintf("kill replica %d", max(1, s.Kill.Replica))
	case s.Terminate != nil:
		return fmt.Sprintf("terminate replica %d", max(1, s.Terminate.Replica))
	case s.Write != nil:
		return "write " + strings.Join(sortedKeys(s.Write), ", ")
	case s.Renew != nil:
		return "renew " + *s.Renew
	case s.Revoke != nil:
		return "revoke " + *s.Revoke
	case s.Use != nil:
		return "use " + s.Use.Fragment
	case s.Sequence != nil:
		return fmt.Sprintf("sequence of %d steps", len(s.Sequence))
	case s.Concurrently != nil:
		return fmt.Sprintf("concurrently %d steps", len(s.Concurrently))
	default:
		return "alertmanager"
	}
}

// AsSend spells a storm out as a send.
func (s *Storm) AsSend() *Send {
	name := s.Alertname
	if name == "" {
		name = "Storm"
	}
	labels := map[string]string{"alertname": name}
	for k, v := range s.Labels {
		labels[k] = v
	}
	if len(s.Labels) == 0 {
		labels["pod"], labels["severity"] = "pod-{{i}}", "critical"
	}
	return &Send{ID: s.ID, Alerts: []Alert{{Labels: labels, Count: s.Count}}, Batch: max(1, s.Batch),
		Connections: s.Connections, Retry: s.Retry, Answers: s.Answers, Verdicts: s.Verdicts,
		AnswersWithin: s.AnswersWithin}
}

// Spec is the fault in the terms of package fault.
func (f *Fault) Spec() fault.Spec {
	s := fault.Spec{ID: f.ID, Target: f.Target, Kind: f.Kind, Times: f.Times, After: f.After,
		Delay: f.Delay.D(), Code: f.Code, RetryAfter: f.RetryAfter, Reason: f.Reason, Replica: f.Replica, BytesPerSecond: f.BytesPerSecond}
	s.Match.Command, s.Match.Verb, s.Match.Group = f.Match.Command, f.Match.Verb, f.Match.Group
	s.Match.Resource, s.Match.Subresource = f.Match.Resource, f.Match.Subresource
	s.Match.Namespace, s.Match.Name = f.Match.Namespace, f.Match.Name
	return s
}
