package intake

import (
	"context"
	"sync"
	"time"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/remediation"
)

// Previous is the rule of fingerprints that was in force before. After a change of the rule
// every alert has another fingerprint: without this, each incident that is open would be
// opened once more. So an alert whose incident is open under its former fingerprint keeps
// that one until the incident is over.
//
// It costs live lists of storm groups, which is why the rule is to be taken out of the
// configuration once the old incidents are gone.
type Previous struct {
	Identity alert.Identity

	mu    sync.Mutex
	known map[string]choice
}

// choice says whether an incident is open under a former fingerprint, for a while.
type choice struct {
	open  bool
	until time.Time
}

const (
	// oldFor is how long an incident under a former fingerprint is taken for open unseen, and
	// newFor how long one is taken for absent.
	oldFor, newFor = 5 * time.Second, time.Minute
	mostChoices    = 20000
)

// fingerprints are those of the alerts, in their order.
func (in *Intake) fingerprints(ctx context.Context, alerts []alert.Alert) ([]string, error) {
	identity := in.Config.Dedup.AlertIdentity()
	out := make([]string, len(alerts))
	groups := map[string]remediation.GroupState{}
	for i, a := range alerts {
		out[i] = identity.Fingerprint(a)
		if in.Previous == nil {
			continue
		}
		former := in.Previous.Identity.Fingerprint(a)
		if former == out[i] {
			continue
		}
		open, known := in.Previous.recall(former, in.Clock.Now())
		if !known {
			state, err := in.groupOf(ctx, a, groups)
			if err != nil {
				return nil, err
			}
			own := state.Newest[former]
			open = own != nil && in.Writer.Open(own) || state.Of(former) != nil
			in.Previous.note(former, open, in.Clock.Now())
		}
		if open {
			out[i] = former
		}
	}
	return out, nil
}

// groupOf is what Kubernetes knows of the alert's storm group, read once a batch.
func (in *Intake) groupOf(ctx context.Context, a alert.Alert, read map[string]remediation.GroupState) (remediation.GroupState, error) {
	namespace := Namespace(in.Config, a.Labels)
	tag := alert.GroupOf(a, in.Config.Storm.AlertRules()).Tag
	if state, ok := read[tag+namespace]; ok {
		return state, nil
	}
	state, err := in.Writer.Group(ctx, []string{in.Config.Kubernetes.Namespace, in.Config.Kubernetes.FallbackNamespace, namespace}, tag)
	read[tag+namespace] = state
	return state, err
}

func (p *Previous) recall(fingerprint string, now time.Time) (open, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.known[fingerprint]
	return c.open, ok && now.Before(c.until)
}

func (p *Previous) note(fingerprint string, open bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) >= mostChoices {
		p.known = map[string]choice{}
	}
	c := choice{open, now.Add(newFor)}
	if open {
		c.until = now.Add(oldFor)
	}
	p.known[fingerprint] = c
}
