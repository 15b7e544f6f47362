//go:build containers

package cluster

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/internal/containers"
)

// These tests need a container daemon and a node image, and fail without: make test-containers.

func TestContainersKindComesUpIsWholeAndGoes(t *testing.T) {
	cache := t.TempDir()
	c, err := Start(t.Context(), Options{Kind: Kind, CRDs: v1alpha1.CRDs, Dir: t.TempDir(), CacheDir: cache, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := clientcmd.LoadFromFile(c.KubeconfigPath)
	if err != nil {
		t.Fatal(err)
	}
	name, ok := strings.CutPrefix(raw.CurrentContext, "kind-")
	if !ok || !exists(t, name) {
		t.Errorf("no node of %q runs", name)
	}
	if !c.Controllers || !strings.HasPrefix(c.Choice.Chosen, "kind (") || c.Choice.Reason == "" {
		t.Errorf("got %+v", c)
	}
	cl, err := newClient(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "goes"}}
	if err := errors.Join(cl.Create(t.Context(), ns), cl.Delete(t.Context(), ns)); err != nil {
		t.Fatal(err)
	}
	if err := gone(t.Context(), cl, ns); err != nil {
		t.Error(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exists(t, name) {
		t.Errorf("the node of %s is still there", name)
	}
	if left, err := containers.Orphans(cache, Kind); err != nil || len(left) > 0 {
		t.Errorf("claims are left: %v %v", left, err)
	}
}

func TestContainersAnInterruptLeavesNoKindCluster(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &trigger{word: "making the Kind cluster", do: func() { time.AfterFunc(3*time.Second, cancel) }}
	_, err := Start(ctx, Options{Kind: Kind, Dir: t.TempDir(), CacheDir: t.TempDir(), Out: out})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	_, name, _ := strings.Cut(out.String(), "making the Kind cluster ")
	name, _, _ = strings.Cut(name, " ")
	if exists(t, name) {
		t.Errorf("the node of %s is still there", name)
	}
}

func TestContainersAKilledRunsKindClusterIsSwept(t *testing.T) {
	cache := t.TempDir()
	claim, err := containers.NewClaim(cache, Kind)
	if err != nil {
		t.Fatal(err)
	}
	// What Kind's nodes are known by is their label alone.
	d, _, err := containers.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	images, err := d.Images(t.Context(), ownNode)
	if err != nil || len(images) == 0 {
		t.Fatalf("no node image of our own: %v; make kind", err)
	}
	foreign := claim.Name + "x"
	for _, name := range []string{claim.Name, foreign} {
		if _, err := d.Ask(t.Context(), "create", "--name", name+"-control-plane", "--label", "io.x-k8s.kind.cluster="+name, images[0]); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = d.Ask(context.WithoutCancel(t.Context()), "rm", "-fv", foreign+"-control-plane") })
	claim.Keep() // as if the process had died
	out := &bytes.Buffer{}
	if err := sweep(newProvider(d.Name, t.Output()), Options{CacheDir: cache, Out: out}); err != nil {
		t.Fatal(err)
	}
	if exists(t, claim.Name) || !strings.Contains(out.String(), claim.Name) {
		t.Errorf("the orphan was left, or nothing was said: %s", out)
	}
	if !exists(t, foreign) {
		t.Error("a cluster of somebody else was removed")
	}
}

func exists(t *testing.T, cluster string) bool {
	t.Helper()
	d, _, err := containers.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said, err := d.Ask(t.Context(), "ps", "-aq", "--filter", "label=io.x-k8s.kind.cluster="+cluster)
	if err != nil {
		t.Fatal(err)
	}
	return said != ""
}

// trigger does something once a word was written.
type trigger struct {
	bytes.Buffer
	word string
	do   func()
	done bool
}

func (w *trigger) Write(b []byte) (int, error) {
	if !w.done && strings.Contains(string(b), w.word) {
		w.done = true
		w.do()
	}
	return w.Buffer.Write(b)
}
