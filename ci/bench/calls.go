package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// calls makes the requests of the test and nothing else: no client of Kubernetes, no check of
// fields, no start and stop of the gateway. What is left is what the servers take.
//
// What the gateway takes to start until it is ready, and to stop, is measured beside them.
func (w *world) calls(t *testing.T, id string) (calls, gateway time.Duration) {
	kube, err := rest.HTTPClientFor(w.rest)
	if err != nil {
		t.Fatal(err)
	}
	objects := w.rest.Host + "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + id + "/remediationrequests"
	begin := time.Now()
	call(t, kube, http.MethodPost, w.rest.Host+"/api/v1/namespaces",
		fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, id), http.StatusCreated)
	calls = time.Since(begin)
	// Meanwhile the API server gets to know the namespace, as in the other tests.
	begin = time.Now()
	g, err := startGateway(t.Context(), w.spec(id))
	if err != nil {
		t.Fatal(err)
	}
	w.untilReady(t, g.URL())
	gateway = time.Since(begin)

	begin = time.Now()
	call(t, http.DefaultClient, http.MethodPost, g.URL()+webhook, payload(id), http.StatusCreated)
	list := call(t, kube, http.MethodGet, objects, nil, http.StatusOK)
	calls += time.Since(begin)
	begin = time.Now()
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	gateway += time.Since(begin)
	begin = time.Now()
	call(t, kube, http.MethodDelete, objects, nil, http.StatusOK)
	call(t, kube, http.MethodDelete, w.rest.Host+"/api/v1/namespaces/"+id, nil, http.StatusOK)
	calls += time.Since(begin)
	w.forget(t, id)
	var got struct{ Items []json.RawMessage }
	if err := json.Unmarshal(list, &got); err != nil || len(got.Items) != 1 {
		t.Fatalf("%d objects, %v", len(got.Items), err)
	}
	return calls, gateway
}

// call makes one request, demands a status and returns the body.
func call(t testing.TB, c *http.Client, method, url string, body []byte, want int) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("%s %s: %d %s, %v", method, url, res.StatusCode, b, err)
	}
	return b
}
