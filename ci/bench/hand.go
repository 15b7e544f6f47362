package bench

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// hand is the test as one writes it on bare envtest: one client for the whole suite, a
// namespace and a gateway for the test, wait.Poll, clean-up at the end.
func (w *world) hand(kube client.Client) test {
	return func(t *testing.T, id string) time.Duration {
		ctx := t.Context()
		begin := time.Now()
		if err := kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: id}}); err != nil {
			t.Fatal(err)
		}
		gateway, err := startGateway(ctx, w.spec(id))
		if err != nil {
			t.Fatal(err)
		}
		w.untilReady(t, gateway.URL())
		name := send(t, gateway.URL(), id)
		var list v1alpha1.RemediationRequestList
		err = wait.PollUntilContextTimeout(ctx, poll, 10*time.Second, true, func(ctx context.Context) (bool, error) {
			err := kube.List(ctx, &list, client.InNamespace(id))
			return len(list.Items) == 1, err
		})
		if err != nil {
			t.Fatal(err)
		}
		check(t, list.Items, name, id)
		if err := gateway.Stop(ctx); err != nil {
			t.Error(err)
		}
		err = errors.Join(kube.DeleteAllOf(ctx, &v1alpha1.RemediationRequest{}, client.InNamespace(id)),
			kube.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: id}}))
		if err != nil {
			t.Error(err)
		}
		w.forget(t, id)
		return time.Since(begin)
	}
}

// untilReady waits for the gateway's own word.
func (w *world) untilReady(t testing.TB, url string) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), poll, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return false, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err
		}
		return res.StatusCode == http.StatusOK, res.Body.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// send posts the alert and returns the name of the object that the gateway says it made.
func send(t testing.TB, url, namespace string) string {
	t.Helper()
	var got answer
	if err := json.Unmarshal(call(t, http.DefaultClient, http.MethodPost, url+webhook, payload(namespace), http.StatusCreated), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Alerts) != 1 || got.Alerts[0].Verdict != "created" {
		t.Fatalf("answer: %+v", got)
	}
	return got.Alerts[0].RemediationRequest.Name
}

// check demands what the scenario's expectations demand.
func check(t testing.TB, list []v1alpha1.RemediationRequest, name, namespace string) {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("%d objects", len(list))
	}
	rr := list[0]
	target := v1alpha1.Target{Kind: "Pod", Name: "a", Namespace: namespace}
	if s := rr.Spec; rr.Name != name || s.AlertName != "CPUHigh" || s.Severity != "warning" || s.Environment != "staging" ||
		s.Target != target || s.Annotations["summary"] != "too hot" || s.Incarnation != 1 {
		t.Errorf("object: %+v", rr)
	}
}

// forget removes the keys of a test.
func (w *world) forget(t testing.TB, id string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	keys := w.redis.Scan(ctx, 0, prefix(id)+"*", 1000).Iterator()
	for keys.Next(ctx) {
		if err := w.redis.Del(ctx, keys.Val()).Err(); err != nil {
			t.Error(err)
		}
	}
	if err := keys.Err(); err != nil {
		t.Error(err)
	}
}
