package fault

import (
	"bufio"
	"encoding/pem"
	"io"
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// openedWatch is a watch whose answer has begun.
type openedWatch struct {
	res  *http.Response
	body *bufio.Reader
}

func openWatch(t *testing.T, c *http.Client, p *KubeProxy) *openedWatch {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.RESTConfig().Host+things+"?watch=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return &openedWatch{res: res, body: bufio.NewReader(res.Body)}
}

// follow sends a line from the server and wants it at once, while the watch stays open.
func (w *openedWatch) follow(t *testing.T, s *apiServer, line string) {
	t.Helper()
	s.lines <- line
	if got, err := w.body.ReadString('\n'); err != nil || got != line {
		t.Errorf("the watch showed %q, %v; want %q", got, err, line)
	}
}

// wantBroken wants the watch to end in the middle.
func (w *openedWatch) wantBroken(t *testing.T) {
	t.Helper()
	if _, err := io.ReadAll(w.body); err == nil {
		t.Error("the watch ended in an orderly way, want it broken off")
	}
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// decoder reads what client-go reads.
func decoder() runtime.Decoder {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"}, &metav1.Status{})
	return serializer.NewCodecFactory(scheme).UniversalDeserializer()
}
