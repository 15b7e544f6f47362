package remediation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// Statuses as a real API server wrote them, without their messages: nothing may be read there.
const (
	noNamespace  = `{"reason":"NotFound","details":{"name":"shop","kind":"namespaces"},"code":404}`
	noKind       = `{"reason":"NotFound","details":{},"code":404}`
	overQuota    = `{"reason":"Forbidden","details":{"name":"rr","group":"remediation.stormproof.io","kind":"remediationrequests"},"code":403}`
	terminating  = `{"reason":"Forbidden","details":{"name":"rr","group":"remediation.stormproof.io","kind":"remediationrequests","causes":[{"reason":"NamespaceTerminating","field":"metadata.namespace"}]},"code":403}`
	policy       = `{"reason":"Invalid","details":{"name":"rr","group":"remediation.stormproof.io","kind":"remediationrequests","causes":[{"message":"denied"}]},"code":422}`
	policy403    = `{"reason":"Forbidden","details":{"name":"rr","group":"remediation.stormproof.io","kind":"remediationrequests","causes":[{"message":"denied"}]},"code":403}`
	webhook      = `{"reason":"Forbidden","code":403}`
	webhook400   = `{"code":400}`
	webhookDown  = `{"reason":"InternalError","details":{"causes":[{"message":"failed calling webhook"}]},"code":500}`
	schemaSays   = `{"reason":"Invalid","details":{"name":"rr","group":"remediation.stormproof.io","kind":"RemediationRequest","causes":[{"reason":"FieldValueNotSupported","field":"spec.priority"}]},"code":422}`
	noRight      = `{"reason":"Forbidden","details":{"group":"remediation.stormproof.io","kind":"remediationrequests"},"code":403}`
	noRightNamed = `{"reason":"Forbidden","details":{"name":"rr","group":"remediation.stormproof.io","kind":"remediationrequests"},"code":403}`
	noLogin      = `{"reason":"Unauthorized","code":401}`
	tooLarge     = `{"reason":"RequestEntityTooLarge","code":413}`
	etcdTooLarge = `{"code":500}`
	tooMany      = `{"reason":"TooManyRequests","details":{"retryAfterSeconds":7},"code":429}`
	gatewayTime  = `{"reason":"Timeout","code":504}`
)

func status(t *testing.T, text string) error {
	t.Helper()
	out := &apierrors.StatusError{}
	if err := json.Unmarshal([]byte(text), &out.ErrStatus); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryAnswerOfTheAPIServerHasItsReason(t *testing.T) {
	for name, c := range map[string]struct {
		verb, status string
		want         Reason
		retryable    bool
	}{
		"a namespace that is missing":        {"create", noNamespace, NamespaceMissing, false},
		"a kind that is not installed":       {"create", noKind, Unavailable, true},
		"a quota that is used up":            {"create", overQuota, QuotaExceeded, true},
		"a namespace that is being deleted":  {"create", terminating, NamespaceTerminating, true},
		"an admission policy":                {"create", policy, AdmissionDenied, false},
		"an admission policy that forbids":   {"create", policy403, AdmissionDenied, false},
		"a webhook":                          {"create", webhook, AdmissionDenied, false},
		"a webhook with a code of its own":   {"create", webhook400, AdmissionDenied, false},
		"a webhook that cannot be reached":   {"create", webhookDown, Unavailable, true},
		"a schema":                           {"create", schemaSays, Invalid, false},
		"a right that is missing":            {"create", noRight, Forbidden, true},
		"a right that is missing, with name": {"update", noRightNamed, Forbidden, true},
		"a list without the right":           {"list", noRight, Forbidden, true},
		"a get without the right":            {"get", noRightNamed, Forbidden, true},
		"a credential that is refused":       {"create", noLogin, Forbidden, true},
		"a body that is too large":           {"create", tooLarge, TooLarge, false},
		"etcd's size, which nothing tells":   {"create", etcdTooLarge, Unavailable, true},
		"a throttle":                         {"create", tooMany, Throttled, true},
		"a timeout":                          {"create", gatewayTime, Timeout, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, retryable, ok := ReasonOf(classify(status(t, c.status), c.verb, "creating", "shop"))
			if got != c.want || retryable != c.retryable || !ok {
				t.Errorf("got %s, retryable %t; want %s, %t", got, retryable, c.want, c.retryable)
			}
		})
	}
	for name, c := range map[string]struct {
		err  error
		want Reason
	}{
		"a deadline":           {fmt.Errorf("calling: %w", context.DeadlineExceeded), Timeout},
		"a connection refused": {errors.New("connection refused"), Unavailable},
	} {
		if got, retryable, _ := ReasonOf(classify(c.err, "create", "creating", "shop")); got != c.want || !retryable {
			t.Errorf("%s: %s, retryable %t", name, got, retryable)
		}
	}
	if reason, _, ok := ReasonOf(errors.New("odd")); ok {
		t.Errorf("an error of another kind is %s", reason)
	}
}

// refusing is a client whose namespace shop takes no object.
func refusing(t *testing.T, text string) client.WithWatch {
	return newFake(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		if o.GetNamespace() == "shop" {
			return status(t, text)
		}
		return c.Create(ctx, o, opts...)
	}})
}

func TestAFallbackNamespaceTakesWhatItsOwnCannot(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		falls  bool
	}{
		"missing": {noNamespace, true}, "terminating": {terminating, true}, "full": {overQuota, true},
		"denied": {policy, false}, "without a right": {noRight, false}, "against the schema": {schemaSays, false},
	} {
		t.Run(name, func(t *testing.T) {
			kube := refusing(t, c.status)
			found, err := newWriter(kube, Options{HoldWhileActive: true, Fallback: "lost"}).Ensure(t.Context(), incident())
			if (err == nil) != c.falls {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			if found.Object.Namespace != "lost" || found.Object.Annotations[v1alpha1.AnnotationOrigin] != "shop" || !found.Created {
				t.Errorf("got %+v", found.Object.ObjectMeta)
			}
			// Another process, whose namespace can take objects again, and who knows nothing.
			again, err := newWriter(newFake(t, interceptor.Funcs{}, found.Object), Options{HoldWhileActive: true, Fallback: "lost"}).Ensure(t.Context(), incident())
			if err != nil || again.Created || again.Object.Namespace != "lost" {
				t.Errorf("the incident was opened twice: %+v, %v", again, err)
			}
		})
	}
}

func TestAStormInTheFallbackNamespaceIsFoundThere(t *testing.T) {
	kube := refusing(t, terminating)
	first, _, err := newWriter(kube, Options{Fallback: "lost"}).EnsureStorm(t.Context(), []Incident{incident()}, "s", "", v1alpha1.Storm{GroupKey: "k"})
	if err != nil || !first.Created || first.Object.Namespace != "lost" || first.Object.Annotations[v1alpha1.AnnotationOrigin] != "shop" {
		t.Fatalf("got %+v, %v", first, err)
	}
	again, _, err := newWriter(newFake(t, interceptor.Funcs{}, first.Object), Options{Fallback: "lost"}).EnsureStorm(t.Context(), []Incident{incident()}, "s", "", v1alpha1.Storm{GroupKey: "k"})
	if err != nil || again.Created || again.Object.Namespace != "lost" {
		t.Errorf("the storm was opened twice: %+v, %v", again, err)
	}
}

func TestTheServersWishComesWithTheError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := Caller{Timeout: time.Second}.Do(ctx, "create", "x", func(context.Context) error { return status(t, tooMany) })
	var unavailable *UnavailableError
	if !errors.As(classify(err, "create", "creating", "shop"), &unavailable) || unavailable.After != 7*time.Second || unavailable.Reason != Throttled {
		t.Errorf("got %+v", unavailable)
	}
}

func TestAReadThatFindsNothingIsNoError(t *testing.T) {
	gone := apierrors.NewNotFound(schema.GroupResource{Resource: resource}, "rr")
	for name, c := range map[string]struct {
		err  error
		want Reason
	}{
		"not found": {gone, ""}, "forbidden": {status(t, noRightNamed), Forbidden},
	} {
		kube := newFake(t, interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return c.err
		}})
		_, err := newWriter(kube, Options{}).Read(t.Context(), "shop", "rr")
		if got, _, _ := ReasonOf(err); got != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
