package cluster

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

func TestReadCRDsTakesEveryManifest(t *testing.T) {
	got, err := readCRDs(v1alpha1.CRDs)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, crd := range got {
		names = append(names, crd.Name)
	}
	want := []string{"remediationrequests.remediation.stormproof.io", "stormpages.remediation.stormproof.io"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadCRDsRefusesOtherThings(t *testing.T) {
	tests := map[string]struct {
		text, want string
	}{
		"another kind":  {"kind: ConfigMap\nmetadata: {name: x}\n", `a.yaml: a document of kind "ConfigMap"`},
		"no name":       {"kind: CustomResourceDefinition\n", `name ""`},
		"not even YAML": {"{", "a.yaml: "},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := readCRDs(fstest.MapFS{"a.yaml": {Data: []byte(tc.text)}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if got, err := readCRDs(fstest.MapFS{"README.md": {Data: []byte("{")}, "b.yaml": {Data: []byte("---\n")}}); err != nil || len(got) != 0 {
		t.Errorf("other files and empty documents: got %v, %v", got, err)
	}
}

func crd(name, version string) *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: version, Served: true}}},
		Status: apiextensionsv1.CustomResourceDefinitionStatus{Conditions: []apiextensionsv1.CustomResourceDefinitionCondition{
			{Type: apiextensionsv1.Established, Status: apiextensionsv1.ConditionTrue}}},
	}
}

// fakeCluster establishes what it is given, and has the given CRDs.
func fakeCluster(t *testing.T, there ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(there...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			obj.SetUID("uid-of-ours")
			return c.Create(ctx, obj, opts...)
		}}).Build()
}

func TestInstallCreatesWhatIsMissingAndRemoveTakesOnlyThatAway(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	cl := fakeCluster(t, crd("theirs", "v1"))
	created, err := install(ctx, cl, []*apiextensionsv1.CustomResourceDefinition{crd("theirs", "v1"), crd("ours", "v1")})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(created).To(HaveLen(1))
	g.Expect(created[0].Name).To(Equal("ours"))

	g.Expect(remove(ctx, cl, created)).To(Succeed())
	left := &apiextensionsv1.CustomResourceDefinitionList{}
	g.Expect(cl.List(ctx, left)).To(Succeed())
	g.Expect(left.Items).To(HaveLen(1))
	g.Expect(left.Items[0].Name).To(Equal("theirs"))
	g.Expect(remove(ctx, cl, created)).To(Succeed(), "gone already is as good")
}

func TestInstallRefusesACRDThatDoesNotServeOurVersion(t *testing.T) {
	_, err := install(t.Context(), fakeCluster(t, crd("x", "v1alpha0")), []*apiextensionsv1.CustomResourceDefinition{crd("x", "v1alpha1")})
	u, ok := errors.AsType[*ErrUnavailable](err)
	if !ok || !strings.Contains(u.Reason, "x does not serve v1alpha1") || !strings.Contains(u.Fix, "kubectl apply") {
		t.Errorf("got %v", err)
	}
}

func TestEstablishedBelievesOnlyTheCondition(t *testing.T) {
	waiting := crd("x", "v1")
	waiting.Status.Conditions[0].Status = apiextensionsv1.ConditionFalse
	if established(waiting) || established(&apiextensionsv1.CustomResourceDefinition{}) || !established(crd("x", "v1")) {
		t.Error("established is wrong")
	}
}

func TestExistingClusterThatCannotBeUsedSaysTheFix(t *testing.T) {
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	kubeconfig := func(server string) string {
		return "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: '" + server +
			"'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
	}
	tests := map[string]struct{ text, reason string }{
		"an empty kubeconfig":              {"", "no usable kubeconfig"},
		"a server that is no Kubernetes":   {kubeconfig(broken.URL), "the CRDs cannot be installed"},
		"a server that nobody listens for": {kubeconfig("http://127.0.0.1:1"), "the CRDs cannot be installed"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Start(t.Context(), Options{Kind: Existing, Kubeconfig: path, CRDs: v1alpha1.CRDs})
			u, ok := errors.AsType[*ErrUnavailable](err)
			if !ok || !strings.Contains(u.Reason, tc.reason) || !strings.Contains(u.Fix, "--cluster=auto") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWrittenKubeconfigHoldsOneContextForOneReader(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	g.Expect(os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("certificate"), 0o600)).To(Succeed())
	raw, err := clientcmd.Load([]byte(`{apiVersion: v1, kind: Config, current-context: a,
clusters: [{name: a, cluster: {server: 'https://a', certificate-authority: ` + dir + `/ca.crt}}, {name: b, cluster: {server: 'https://b'}}],
users: [{name: a, user: {token: t}}, {name: b, user: {token: other}}],
contexts: [{name: a, context: {cluster: a, user: a}}, {name: b, context: {cluster: b, user: b}}]}`))
	g.Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(dir, "kubeconfig")
	g.Expect(writeKubeconfig(*raw, path)).To(Succeed())
	got, err := clientcmd.LoadFromFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.Contexts).To(HaveLen(1))
	g.Expect(got.AuthInfos).To(HaveLen(1))
	g.Expect(string(got.Clusters["a"].CertificateAuthorityData)).To(Equal("certificate"))
	info, err := os.Stat(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
}
