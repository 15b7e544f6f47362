package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/klient/k8s"
	"sigs.k8s.io/e2e-framework/klient/wait"
	"sigs.k8s.io/e2e-framework/klient/wait/conditions"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/system"
)

// framework is the test as a feature of e2e-framework. Its waits look every 5 s unless they
// are told otherwise; here they look at once and then as often as all the others.
func (w *world) framework(env types.Environment) test {
	return func(t *testing.T, id string) time.Duration {
		var gateway system.Instance
		var name string
		feature := features.New("one alert makes one object").
			Setup(func(ctx context.Context, t *testing.T, cfg *envconf.Config) context.Context {
				r := cfg.Client().Resources()
				if err := r.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: id}}); err != nil {
					t.Fatal(err)
				}
				var err error
				if gateway, err = startGateway(ctx, w.spec(id)); err != nil {
					t.Fatal(err)
				}
				w.untilReady(t, gateway.URL())
				return ctx
			}).
			Assess("the alert is taken", func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
				name = send(t, gateway.URL(), id)
				return ctx
			}).
			Assess("there is one object, and it is right", func(ctx context.Context, t *testing.T, cfg *envconf.Config) context.Context {
				r := cfg.Client().Resources(id)
				if err := v1alpha1.AddToScheme(r.GetScheme()); err != nil {
					t.Fatal(err)
				}
				var list v1alpha1.RemediationRequestList
				any := func(k8s.Object) bool { return true }
				err := wait.For(conditions.New(r).ResourceListMatchN(&list, 1, any), wait.WithContext(ctx), wait.WithTimeout(10*time.Second),
					wait.WithInterval(poll), wait.WithImmediate())
				if err != nil {
					t.Fatal(err)
				}
				check(t, list.Items, name, id)
				return ctx
			}).
			Teardown(func(ctx context.Context, t *testing.T, cfg *envconf.Config) context.Context {
				r := cfg.Client().Resources()
				err := errors.Join(gateway.Stop(ctx),
					r.GetControllerRuntimeClient().DeleteAllOf(ctx, &v1alpha1.RemediationRequest{}, client.InNamespace(id)),
					r.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: id}}))
				if err != nil {
					t.Error(err)
				}
				w.forget(t, id)
				return ctx
			}).Feature()
		begin := time.Now()
		env.Test(t, feature)
		return time.Since(begin)
	}
}
