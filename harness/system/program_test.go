package system

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestMain lets the test binary play the service under test.
func TestMain(m *testing.M) {
	if os.Getenv("PLAY_SERVICE") == "" {
		os.Exit(m.Run())
	}
	serve()
}

// serve is a service with a clock and a crash point, in the least code that has both.
func serve() {
	offset := "0s"
	http.HandleFunc("POST /clock", func(_ http.ResponseWriter, r *http.Request) { offset = r.URL.Query().Get("to") })
	http.HandleFunc("GET /offset", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, offset) })
	http.HandleFunc("GET /args", func(w http.ResponseWriter, _ *http.Request) {
		b, err := os.ReadFile("conf/service.txt")
		fmt.Fprint(w, strings.Join(os.Args[1:], " "), "|", os.Getenv("GREETING"), "|", string(b), err)
	})
	http.HandleFunc("GET /work", func(http.ResponseWriter, *http.Request) {
		point := filepath.Join(os.Getenv(CrashVariable), "working")
		if os.Rename(point, point+".hit") == nil {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	http.HandleFunc("GET /exit", func(http.ResponseWriter, *http.Request) {
		fmt.Println("the disk is on fire")
		os.Exit(7)
	})
	fmt.Println(http.ListenAndServe(os.Getenv("LISTEN"), nil))
	os.Exit(3)
}

func service(t *testing.T) (Program, Spec) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return Program{Path: self, Env: map[string]string{"PLAY_SERVICE": "yes", "LISTEN": "{{listen}}"}},
		Spec{Replica: 2, Dir: filepath.Join(dir, "service"), LogFile: filepath.Join(dir, "service.log"), Namespace: "ns-1",
			Kubernetes: &rest.Config{Host: "http://127.0.0.1:1"}, Values: map[string]string{"sink.hook": "http://sink"}}
}

func get(t *testing.T, url string) (string, error) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func TestAProgramIsFilledInAndEndsInAnOrderlyWay(t *testing.T) {
	g := NewWithT(t)
	p, spec := service(t)
	p.Args = []string{"-replica={{replica}}", "{{ .theirs }}", "{{sink.hook}}"}
	p.Env["GREETING"] = "hello from {{ns}}"
	p.Files = map[string]string{"conf/service.txt": "kubeconfig {{kubeconfig}}"}
	i, err := p.Start(t.Context(), spec)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(i.AdminURL()).To(Equal(i.URL()), "a program that mentions no {{admin}} has one listener")
	kubeconfig := filepath.Join(spec.Dir, "kubeconfig")
	g.Expect(get(t, i.URL()+"/args")).To(Equal("-replica=2 {{ .theirs }} http://sink|hello from ns-1|kubeconfig " + kubeconfig + "<nil>"))
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(config.Host).To(Equal(spec.Kubernetes.Host))
	g.Expect(i).NotTo(BeAssignableToTypeOf(advancing{}))
	g.Expect(i.Stop(t.Context())).To(Succeed())
	_, err = get(t, i.URL()+"/args")
	g.Expect(err).To(MatchError(syscall.ECONNREFUSED))
}

func TestAProgramsClockIsSetAlsoWhenItStarts(t *testing.T) {
	g := NewWithT(t)
	p, spec := service(t)
	p.Clock = Clock{Method: "POST", Path: "/clock?to={{offset}}"}
	spec.Offset = 3 * time.Minute
	i, err := p.Start(t.Context(), spec)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(get(t, i.URL()+"/offset")).To(Equal("3m0s"))
	g.Expect(i.(Advancer).Advance(t.Context(), 5*time.Minute)).To(Succeed())
	g.Expect(get(t, i.URL()+"/offset")).To(Equal("5m0s"))
	g.Expect(i.Stop(t.Context())).To(Succeed())
	g.Expect(i.(Advancer).Advance(t.Context(), time.Hour)).NotTo(Succeed())
}

func TestADeathIsForgivenOnlyWhenTheScenarioWantedIt(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		g := NewWithT(t)
		p, spec := service(t)
		i, err := p.Start(t.Context(), spec)
		g.Expect(err).NotTo(HaveOccurred())
		i.(Killer).Kill()
		_, err = get(t, i.URL()+"/args")
		g.Expect(err).To(MatchError(syscall.ECONNREFUSED))
		g.Expect(i.Stop(t.Context())).To(Succeed())
	})
	t.Run("crash point", func(t *testing.T) {
		g := NewWithT(t)
		p, spec := service(t)
		i, err := p.Start(t.Context(), spec)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = get(t, i.URL()+"/work")
		g.Expect(err).NotTo(HaveOccurred())
		point := filepath.Join(i.(Crasher).CrashDir(), "working")
		g.Expect(os.WriteFile(point, nil, 0o600)).To(Succeed())
		_, err = get(t, i.URL()+"/work")
		g.Expect(err).To(HaveOccurred())
		g.Expect(point + ".hit").To(BeAnExistingFile())
		g.Expect(i.Stop(t.Context())).To(Succeed())

		t.Log("the old receipt excuses no later death")
		again, err := p.Start(t.Context(), spec)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = get(t, again.URL()+"/exit")
		g.Expect(err).To(HaveOccurred())
		g.Expect(again.Stop(t.Context())).NotTo(Succeed())
	})
	t.Run("by itself", func(t *testing.T) {
		g := NewWithT(t)
		p, spec := service(t)
		i, err := p.Start(t.Context(), spec)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = get(t, i.URL()+"/exit")
		g.Expect(err).To(HaveOccurred())
		err = i.Stop(t.Context())
		g.Expect(err).To(MatchError(And(ContainSubstring("exit status 7"), ContainSubstring("the disk is on fire"))))
	})
}

func TestAProgramThatCannotStartSaysWhy(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Program)
		want   string
	}{
		"it ends at once":        {func(p *Program) { p.Env["LISTEN"] = "nowhere:-1" }, "exit status 3"},
		"an unknown placeholder": {func(p *Program) { p.Args = []string{"{{lisen}}"} }, "{{lisen}} has no value; there are admin, dir"},
		"Redis that it has not":  {func(p *Program) { p.Args = []string{"{{redis}}"} }, "{{redis}} has no value"},
		"a file outside":         {func(p *Program) { p.Files = map[string]string{"../x": ""} }, "leaves the program's folder"},
		"no such program":        {func(p *Program) { p.Path = "/nonexistent" }, "/nonexistent"},
	} {
		t.Run(name, func(t *testing.T) {
			p, spec := service(t)
			tc.change(&p)
			_, err := p.Start(t.Context(), spec)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}
