package shadow

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/remediation"
)

// ghost is a Kubernetes that takes everything and keeps nothing.
type ghost struct {
	mu sync.Mutex
	// storms are how many members each has; one that was forgotten has another opener.
	storms map[string]int
}

// mostStorms bounds the memory.
const mostStorms = 1024

var (
	_ intake.Writer   = (*ghost)(nil)
	_ intake.Pages    = (*ghost)(nil)
	_ intake.Counters = (*ghost)(nil)
)

func object(i remediation.Incident, name string, incarnation int) *v1alpha1.RemediationRequest {
	return &v1alpha1.RemediationRequest{ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: name, UID: types.UID(name)},
		Spec: v1alpha1.RemediationRequestSpec{Fingerprint: i.Fingerprint, Incarnation: int32(incarnation)}}
}

// Ensure implements intake.Writer: whatever the windows do not know is new.
func (g *ghost) Ensure(_ context.Context, i remediation.Incident) (remediation.Found, error) {
	return remediation.Found{Object: object(i, remediation.ObjectName(i.Fingerprint, i.Past+1), i.Past+1), Created: true}, nil
}

// EnsureStorm implements intake.Writer.
func (g *ghost) EnsureStorm(_ context.Context, members []remediation.Incident, id, _ string, _ v1alpha1.Storm) (remediation.Found, map[string]*v1alpha1.RemediationRequest, error) {
	opener := members[0]
	g.mu.Lock()
	defer g.mu.Unlock()
	opener.Fingerprint = remediation.StormFingerprint(opener.Group.Key, id)
	fingerprint := opener.Fingerprint
	_, known := g.storms[fingerprint]
	if len(g.storms) >= mostStorms {
		clear(g.storms)
	}
	g.storms[fingerprint] += len(members)
	return remediation.Found{Object: object(opener, remediation.StormName(fingerprint), 1), Created: !known}, nil, nil
}

// Join implements intake.Pages.
func (g *ghost) Join(ctx context.Context, _ string, ensure remediation.Ensure, incidents []remediation.Incident) (remediation.Joined, error) {
	found, own, err := ensure(ctx, incidents)
	if err != nil {
		return remediation.Joined{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return remediation.Joined{Found: found, Own: own, Members: g.storms[found.Object.Spec.Fingerprint]}, nil
}

// Read implements intake.Writer: an incident whose window has passed is over.
func (g *ghost) Read(context.Context, string, string) (*v1alpha1.RemediationRequest, error) {
	return nil, nil
}

// LastSeen implements intake.Writer.
func (g *ghost) LastSeen(*v1alpha1.RemediationRequest) time.Time { return time.Time{} }

// Open implements intake.Writer.
func (g *ghost) Open(*v1alpha1.RemediationRequest) bool { return false }

// Group implements intake.Writer.
func (g *ghost) Group(context.Context, []string, string) (remediation.GroupState, error) {
	return remediation.GroupState{}, nil
}

// Note implements intake.Counters.
func (g *ghost) Note(string, string, string, remediation.Tally) {}

// Known implements intake.Counters.
func (g *ghost) Known(string) remediation.Tally { return remediation.Tally{} }
