package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/internal/owned"
)

// The API server's own priority and fairness does the throttling, and reaches nobody else:
// requests are made as a user of the fault's own, a FlowSchema matches that user alone, and
// its priority level may borrow no seat. Seats are shares of the server's total, so the
// smallest level still has several; the fault holds all but one with requests of its own,
// whose bodies never end. One request may wait for the seat; the next is answered 429 at once.
//
// Without that queue of one no list would pass for long: a list costs a seat for each 100 kB
// or so of all objects of its resource (the server counts them once a minute), up to 10, and
// only in a level with queues up to the level's own size, which here is one.
//
//	gateway --> proxy (Impersonate-User) --> FlowSchema --> level: held held [free]
//
// Applied are the 429s that carry the level's UID, checked against the server's own count.
func kubeThrottleKind() Kind {
	return Kind{Target: Kubernetes, Name: Throttle, Reads: []string{"replica"},
		Doc: "makes requests as a user for whom the API server keeps one seat: it really answers 429",
		site: func(ctx context.Context, s *Site, a *armed) (Handle, error) {
			if err := s.mayImpersonate(ctx, a); err != nil {
				return nil, err
			}
			t, err := newThrottle(s, a)
			if err != nil {
				return nil, err
			}
			if err := t.start(ctx); err != nil {
				return nil, errors.Join(fmt.Errorf("throttling for fault %s: %w", a.spec.ID, err), takeBack(ctx, t))
			}
			return t, nil
		}}
}

const (
	levelHeader  = "X-Kubernetes-PF-PriorityLevel-UID"
	seatsMetric  = "apiserver_flowcontrol_nominal_limit_seats"
	busyMetric   = "apiserver_flowcontrol_current_executing_seats"
	rejectMetric = "apiserver_flowcontrol_rejected_requests_total"
	// schemaPrecedence comes before every schema that matches users in general.
	schemaPrecedence = 50
)

type throttle struct {
	impersonation
	proxy   *KubeProxy
	client  client.Client
	level   *flowcontrolv1.PriorityLevelConfiguration
	objects []client.Object
	// made are those that are there, or may be.
	made []client.Object
	held seats
	once sync.Once
	err  error
}

func newThrottle(s *Site, a *armed) (*throttle, error) {
	c, err := s.Kubernetes.admin()
	if err != nil {
		return nil, err
	}
	t := &throttle{impersonation: impersonation{armed: a, user: impersonated(s, a)}, proxy: s.Kubernetes, client: c}
	t.refused = func(code int, header http.Header) bool {
		return code == http.StatusTooManyRequests && header.Get(levelHeader) == string(t.level.UID)
	}
	a.act = t.meet
	user := flowcontrolv1.Subject{Kind: flowcontrolv1.SubjectKindUser, User: &flowcontrolv1.UserSubject{Name: t.user}}
	name := "stormproof-throttle-" + rand.String(12) // ours, so that it is known also when the answer is lost
	meta := func() metav1.ObjectMeta {
		m := metav1.ObjectMeta{Name: name}
		owned.Mark(&m, s.Run, s.Until)
		return m
	}
	all := []string{"*"}
	t.level = &flowcontrolv1.PriorityLevelConfiguration{ObjectMeta: meta(), Spec: flowcontrolv1.PriorityLevelConfigurationSpec{
		Type: flowcontrolv1.PriorityLevelEnablementLimited,
		Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{NominalConcurrencyShares: new(int32(1)), LendablePercent: new(int32(0)),
			BorrowingLimitPercent: new(int32(0)), LimitResponse: flowcontrolv1.LimitResponse{Type: flowcontrolv1.LimitResponseTypeQueue,
				Queuing: &flowcontrolv1.QueuingConfiguration{Queues: 1, HandSize: 1, QueueLengthLimit: 1}}}}}
	t.objects = []client.Object{t.level,
		&flowcontrolv1.FlowSchema{ObjectMeta: meta(), Spec: flowcontrolv1.FlowSchemaSpec{MatchingPrecedence: schemaPrecedence,
			PriorityLevelConfiguration: flowcontrolv1.PriorityLevelConfigurationReference{Name: name},
			Rules: []flowcontrolv1.PolicyRulesWithSubjects{{Subjects: []flowcontrolv1.Subject{user},
				ResourceRules:    []flowcontrolv1.ResourcePolicyRule{{Verbs: all, APIGroups: all, Resources: all, ClusterScope: true, Namespaces: all}},
				NonResourceRules: []flowcontrolv1.NonResourcePolicyRule{{Verbs: all, NonResourceURLs: all}}}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta(), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: t.user}}}}
	return t, nil
}

// start makes the objects, waits until the API server acts on them, and takes all seats
// but one. Only then does the gateway's traffic change its user.
func (t *throttle) start(ctx context.Context) error {
	for _, o := range t.objects {
		err := t.client.Create(ctx, o)
		if !apierrors.IsAlreadyExists(err) {
			t.made = append(t.made, o)
		}
		if err != nil {
			return fmt.Errorf("creating a %T: %w", o, err)
		}
	}
	n, err := t.proxy.limitOf(ctx, t.level.Name)
	if err != nil {
		return err
	}
	if err := t.classified(ctx); err != nil {
		return err
	}
	t.held.take(t.proxy, t.user, n-1)
	if err := t.proxy.busy(ctx, t.level.Name, n-1); err != nil {
		return err
	}
	t.proxy.attach(t.armed)
	return nil
}

// Remove implements Handle. It fails when we claim more than the API server has counted.
func (t *throttle) Remove(ctx context.Context) error {
	t.once.Do(func() {
		_ = t.armed.Remove(ctx) // never fails
		t.held.free()
		var errs []error
		if t.level.UID != "" {
			errs = append(errs, t.agrees(ctx))
		}
		for _, o := range t.made {
			errs = append(errs, client.IgnoreNotFound(t.client.Delete(ctx, o)))
		}
		if err := errors.Join(errs...); err != nil {
			t.err = fmt.Errorf("undoing fault %s: %w", t.spec.ID, err)
		}
	})
	return t.err
}

// agrees compares the 429s that passed the proxy with those that the server counted, which
// may be more: a client that gave up did not see its own.
func (t *throttle) agrees(ctx context.Context) error {
	rejected, err := t.proxy.metric(ctx, rejectMetric, t.level.Name)
	if err != nil {
		return err
	}
	if seen := t.applied.Load() + t.held.rejected.Load(); seen > int64(rejected) {
		return fmt.Errorf("the API server counts %d rejected requests of priority level %s, the proxy saw %d", int64(rejected), t.level.Name, seen)
	}
	return nil
}
