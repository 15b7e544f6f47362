package play

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/internal/owned"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

// account is the user that the gateways of a world with needs.account act as.
func (w *world) account() string { return "stormproof:" + w.host.RunID + ":" + w.prefix + "gateway" }

// giveAccount has the gateways act as a user who has the rights of their manifest and no other.
func (w *world) giveAccount(ctx context.Context) error {
	if !w.scenario.Needs.Account {
		return nil
	}
	if w.auditLog == "" {
		return errors.New("this scenario reads the API server's audit log, and this cluster has none: use --cluster envtest")
	}
	role, binding := w.accountObjects()
	for _, o := range []client.Object{role, binding} {
		owned.Mark(o, w.host.RunID, w.until())
		if err := w.kube.Create(ctx, o); err != nil {
			return fmt.Errorf("giving the gateway an account: %w", err)
		}
	}
	w.kubeProxy.ActAs(w.account())
	last := w.host.Rules[len(w.host.Rules)-1]
	return wait.Until(ctx, "the API server acts on the gateway's rights", grantedWithin, 5*time.Millisecond, func(ctx context.Context) wait.Look {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: w.account(),
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: last.Verbs[0], Group: last.APIGroups[0], Resource: last.Resources[0]}}}
		err := w.kube.Create(ctx, review)
		return wait.Look{Done: err == nil && review.Status.Allowed, Err: err}
	})
}

func (w *world) accountObjects() (*rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding) {
	meta := metav1.ObjectMeta{Name: w.namespaces[0] + "-gateway"}
	return &rbacv1.ClusterRole{ObjectMeta: meta, Rules: w.host.Rules},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: w.account()}}}
}

func (w *world) takeAccount(ctx context.Context) error {
	if !w.scenario.Needs.Account || w.kube == nil {
		return nil
	}
	role, binding := w.accountObjects()
	return errors.Join(client.IgnoreNotFound(w.kube.Delete(ctx, binding)), client.IgnoreNotFound(w.kube.Delete(ctx, role)))
}

// rights are the system's rules, one text for each verb of each resource: "create pods",
// "update deployments/status.apps".
func (w *world) rights() []any {
	seen := map[string]bool{}
	for _, rule := range w.host.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					seen[right(verb, resource, group)] = true
				}
			}
		}
	}
	return sorted(seen)
}

func right(verb, resource, group string) string {
	if group != "" {
		resource += "." + group
	}
	return verb + " " + resource
}

func sorted(set map[string]bool) []any {
	out := []any{}
	for name := range set {
		out = append(out, name)
	}
	slices.SortFunc(out, func(a, b any) int { return bytes.Compare([]byte(a.(string)), []byte(b.(string))) })
	return out
}

// audit is what the gateways asked for, allowed or not, as the API server noted it.
func (w *world) audit() ([]any, error) {
	log, err := os.Open(w.auditLog)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	defer func() { _ = log.Close() }() // it was only read
	if _, err := log.Seek(w.auditFrom, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	seen := map[string]bool{}
	for lines := json.NewDecoder(log); ; {
		var e struct {
			Verb             string                                           `json:"verb"`
			ImpersonatedUser struct{ Username string }                        `json:"impersonatedUser"`
			ObjectRef        struct{ Resource, Subresource, APIGroup string } `json:"objectRef"`
		}
		err := lines.Decode(&e)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // another scenario's line is being written
			return sorted(seen), nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if e.ImpersonatedUser.Username != w.account() {
			continue
		}
		resource := e.ObjectRef.Resource
		if e.ObjectRef.Subresource != "" {
			resource += "/" + e.ObjectRef.Subresource
		}
		seen[right(e.Verb, resource, e.ObjectRef.APIGroup)] = true
	}
}
