//go:build containers

package system

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/internal/owned"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

// These tests need a container daemon and a node image, and fail without: make test-containers.

// place is a Kind cluster with the service's image on its node.
type place struct {
	pod  Pod
	api  *kubernetes.Clientset
	home *corev1.Namespace
}

func newPlace(t *testing.T) *place {
	t.Helper()
	c, err := cluster.Start(t.Context(), cluster.Options{Kind: cluster.Kind, Dir: t.TempDir(), Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	node, err := c.Node.Locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "service")
	if err := Build(t.Context(), Source{Dir: ".", Package: "./testdata/service", Static: true}, program); err != nil {
		t.Fatal(err)
	}
	image, err := NewImage(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if loaded, err := node.Load(t.Context(), image.Name, image.Write); err != nil || loaded != want {
			t.Fatalf("loaded is %v, want %v: %v", loaded, want, err)
		}
	}
	p := &place{api: kubernetes.NewForConfigOrDie(c.Config), pod: Pod{Image: image.Name, Node: node, Config: c.Config,
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"}}},
		Program: Program{Path: ImageProgram, Env: map[string]string{"LISTEN": "{{listen}}"},
			Clock: Clock{Method: "POST", Path: "/clock?to={{offset}}"}}}}
	p.home = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "home"}}
	owned.Mark(p.home, "run-1", time.Now().Add(time.Hour))
	if p.home, err = p.api.CoreV1().Namespaces().Create(t.Context(), p.home, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return p
}

// start starts a Pod after a change to it, with its log.
func (p *place) start(t *testing.T, change func(*Pod)) (Instance, Spec, error) {
	t.Helper()
	pod := p.pod
	pod.Env = map[string]string{"LISTEN": "{{listen}}"}
	if change != nil {
		change(&pod)
	}
	spec := Spec{Replica: 1, Home: p.home, Namespace: "ns-1", LogFile: filepath.Join(t.TempDir(), "pod.log"), Offset: 3 * time.Minute,
		Kubernetes: &rest.Config{Host: "https://" + pod.Node.Host + ":1", TLSClientConfig: rest.TLSClientConfig{CAData: p.pod.Config.CAData}}}
	i, err := pod.Start(t.Context(), spec)
	return i, spec, err
}

// left fails when a Pod or its files are still there.
func (p *place) left(t *testing.T) {
	t.Helper()
	pods, err := p.api.CoreV1().Pods(p.home.Name).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) > 0 {
		t.Errorf("Pods are left: %d, %v", len(pods.Items), err)
	}
	files, err := p.api.CoreV1().ConfigMaps(p.home.Name).List(t.Context(), metav1.ListOptions{LabelSelector: owned.Label})
	if err != nil || len(files.Items) > 0 {
		t.Errorf("files are left: %d, %v", len(files.Items), err)
	}
}

func logOf(t *testing.T, spec Spec) string {
	t.Helper()
	b, err := os.ReadFile(spec.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestContainersPods(t *testing.T) {
	p := newPlace(t)
	t.Run("is filled in, has few rights, and ends in an orderly way", p.life)
	t.Run("its log can be waited for", p.logs)
	t.Run("is killed without a word, and that is forgiven", p.kill)
	t.Run("a death of its own is not", p.deaths)
	t.Run("one that cannot start says why", p.cannotStart)
	t.Run("all goes with its home", p.goes)
}

func (p *place) life(t *testing.T) {
	g := NewWithT(t)
	i, spec, err := p.start(t, func(pod *Pod) {
		pod.Args = []string{"-replica={{replica}}", "{{ .theirs }}"}
		pod.Env["GREETING"] = "hello from {{ns}}"
		pod.Files = map[string]string{"conf/service.txt": "listen {{listen}}"}
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(i.AdminURL()).To(Equal(i.URL()), "a program that mentions no {{admin}} has one listener")
	g.Expect(get(t, i.URL()+"/given")).To(Equal("-replica=1 {{ .theirs }}|hello from ns-1|listen 0.0.0.0:8080<nil>|65532|2|true"))
	g.Expect(get(t, i.URL()+"/offset")).To(Equal("3m0s"))
	g.Expect(i.(Advancer).Advance(t.Context(), 5*time.Minute)).To(Succeed())
	g.Expect(get(t, i.URL()+"/offset")).To(Equal("5m0s"))
	_, crashes := i.(Crasher)
	g.Expect(crashes).To(BeFalse(), "there is no folder for crash points")
	pods, err := p.api.CoreV1().Pods(p.home.Name).List(t.Context(), metav1.ListOptions{LabelSelector: owned.Label + "=run-1"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(pods.Items).To(HaveLen(1), "the Pod bears the mark of its run")
	g.Expect(i.Stop(t.Context())).To(Succeed())
	_, err = get(t, i.URL()+"/offset")
	g.Expect(err).To(MatchError(syscall.ECONNREFUSED))
	g.Expect(logOf(t, spec)).To(Equal("begun\ntold to end\n"))
	p.left(t)
}

func (p *place) logs(t *testing.T) {
	g := NewWithT(t)
	i, spec, err := p.start(t, nil)
	g.Expect(err).NotTo(HaveOccurred())
	for _, word := range []string{"one", "two", "three"} {
		_, err := get(t, i.URL()+"/say?word="+word)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(i.(Logger).FlushLog(t.Context())).To(Succeed())
		g.Expect(logOf(t, spec)).To(HaveSuffix(word + "\n"))
	}
	g.Expect(i.Stop(t.Context())).To(Succeed())
}

func (p *place) kill(t *testing.T) {
	g := NewWithT(t)
	i, spec, err := p.start(t, nil)
	g.Expect(err).NotTo(HaveOccurred())
	i.(Killer).Kill()
	g.Expect(i.(interface{ Exited() error }).Exited()).To(MatchError(ContainSubstring("killed")), "it is known at once")
	_, err = get(t, i.URL()+"/offset")
	g.Expect(err).To(MatchError(syscall.ECONNREFUSED))
	g.Expect(i.Stop(t.Context())).To(Succeed())
	g.Expect(logOf(t, spec)).To(Equal("begun\n"), "it must not have been told")
	p.left(t)
}

func (p *place) deaths(t *testing.T) {
	for name, tc := range map[string]struct{ code, last, want string }{
		"with an error":        {"7", "0", "ended by itself: exit status 7"},
		"as if all were well":  {"0", "0", "ended by itself: exit status 0"},
		"after it was told to": {"", "5", "ended badly after SIGTERM: exit status 5"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			i, _, err := p.start(t, func(pod *Pod) { pod.Env["LAST"] = tc.last })
			g.Expect(err).NotTo(HaveOccurred())
			said := "told to end"
			if tc.code != "" {
				said = "the disk is on fire"
				_, err = get(t, i.URL()+"/exit?code="+tc.code)
				g.Expect(err).To(HaveOccurred())
				exited := i.(interface{ Exited() error })
				g.Expect(wait.Until(t.Context(), "the end is noticed", 20*time.Second, 20*time.Millisecond, func(context.Context) wait.Look {
					return wait.Look{Done: exited.Exited() != nil}
				})).To(Succeed())
			}
			g.Expect(i.Stop(t.Context())).To(MatchError(And(ContainSubstring(tc.want), ContainSubstring(said))))
			p.left(t)
		})
	}
}

func (p *place) cannotStart(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Pod)
		want   string
	}{
		"its image is not there": {func(pod *Pod) { pod.Image = "stormproof.dev/system:nothing" }, "ErrImageNeverPull"},
		"it ends at once":        {func(pod *Pod) { pod.Env["LISTEN"] = "nowhere:-1" }, "exit status 3"},
		"a placeholder":          {func(pod *Pod) { pod.Args = []string{"{{kubeconfig}}"} }, "{{kubeconfig}} has no value; there are admin, dir"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := p.start(t, tc.change)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.want)))
			p.left(t)
		})
	}
}

func (p *place) goes(t *testing.T) {
	g := NewWithT(t)
	roles := p.api.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), p.home.Name, metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(role.Labels).To(HaveKeyWithValue(owned.Label, "run-1"))
	g.Expect(p.api.CoreV1().Namespaces().Delete(t.Context(), p.home.Name, metav1.DeleteOptions{})).To(Succeed())
	g.Expect(wait.Until(t.Context(), "the role goes with the namespace", time.Minute, 100*time.Millisecond, func(ctx context.Context) wait.Look {
		_, err := roles.Get(ctx, role.Name, metav1.GetOptions{})
		return wait.Look{Done: apierrors.IsNotFound(err), State: func() string { return strings.Join(role.Finalizers, ",") }}
	})).To(Succeed())
}
