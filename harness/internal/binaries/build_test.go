package binaries

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
)

// fakeGo stands for the go command: it lists three packages, "compiles" two, and logs each
// call. FAKE_LIST and FAKE_BUILD are its exit codes.
const fakeGo = `#!/bin/sh
echo "$1 mod=$GOFLAGS work=$GOWORK cgo=$CGO_ENABLED" >>"$FAKE_LOG"
[ -s go.mod ] && [ -s go.sum ] || exit 9
case $1 in
list)  [ "$FAKE_LIST" = 0 ] || { echo "dial tcp: refused" >&2; exit "$FAKE_LIST"; }
       printf 'a\nb\nc\n' ;;
build) [ "$FAKE_BUILD" = 0 ] || { echo "x.go:1: syntax error" >&2; exit "$FAKE_BUILD"; }
       printf 'a\nb\n' >&2
       while [ "$1" != -o ]; do shift; done
       printf '#!/bin/sh\necho built\n' >"$2"; chmod +x "$2" ;;
esac
`

func testRecipe() Recipe {
	return Recipe{Name: "thing", Version: "1.0", GoMod: []byte("module x\n"), GoSum: []byte("sum\n"),
		Programs: []Program{{Name: "one", Package: "p/one"}, {Name: "two", Package: "p/two", LDFlags: "-X a.b=c"}},
		Takes:    "a moment", NeedMB: 1, Instead: "do without"}
}

// useFakeGo makes PATH hold the fake and returns the file where its calls are logged.
func useFakeGo(t *testing.T, list, build string) string {
	t.Helper()
	return useFakes(t, map[string]string{"go": fakeGo}, "FAKE_LIST="+list, "FAKE_BUILD="+build)
}

func useFakes(t *testing.T, scripts map[string]string, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(dir, "log")
	t.Setenv("FAKE_LOG", log)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return log
}

func TestBuildFillsTheCacheOnceAndLeavesOnlyThePrograms(t *testing.T) {
	log := useFakeGo(t, "0", "0")
	t.Setenv("GOFLAGS", "-mod=mod") // a user's setting that must not bend the build
	cache, out := t.TempDir(), &bytes.Buffer{}
	dir, err := Build(t.Context(), cache, testRecipe(), out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two"}, names(t, dir)); diff != "" {
		t.Errorf("the cache's entry (-want +got):\n%s", diff)
	}
	again, err := Build(t.Context(), cache, testRecipe(), out)
	if err != nil || again != dir {
		t.Errorf("the second call returned %q, %v; want %q", again, err, dir)
	}
	const env = " mod=-mod=readonly work=off cgo=0\n"
	want := "list" + env + "build" + env + "list" + env + "build" + env
	if diff := cmp.Diff(want, read(t, log)); diff != "" {
		t.Errorf("calls of go (-want +got):\n%s", diff)
	}
	if n := strings.Count(out.String(), "this happens once and takes a moment"); n != 1 {
		t.Errorf("the cost was announced %d times, want once:\n%s", n, out)
	}
}

func TestBuildThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	tests := map[string]struct {
		list, build string
		reason      string
		output      string
	}{
		"modules that cannot be fetched blame the network": {"1", "0", "thing: one: its modules could not be fetched", "dial tcp: refused"},
		"code that does not compile blames the compiler":   {"0", "2", "thing: one: it does not compile", "x.go:1: syntax error"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			useFakeGo(t, tc.list, tc.build)
			cache := t.TempDir()
			_, err := Build(t.Context(), cache, testRecipe(), io.Discard)
			u, ok := errors.AsType[*Unavailable](err)
			if !ok {
				t.Fatalf("got %v, want an *Unavailable", err)
			}
			if u.Reason != tc.reason || !strings.Contains(u.Error(), tc.output) || !strings.HasSuffix(u.Fix, ", or do without") {
				t.Errorf("got reason %q, fix %q, text %q", u.Reason, u.Fix, u.Error())
			}
			for _, left := range names(t, filepath.Join(cache, "bin")) {
				if !strings.HasSuffix(left, ".lock") {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}

func TestBuildWithoutGoSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Build(t.Context(), t.TempDir(), testRecipe(), io.Discard)
	u, ok := errors.AsType[*Unavailable](err)
	if !ok || !strings.Contains(u.Reason, "no go on PATH") || !strings.Contains(u.Fix, "install Go") {
		t.Errorf("got %v", err)
	}
}

func TestBuildInAnUnusableCacheSaysHowToChooseAnother(t *testing.T) {
	useFakeGo(t, "0", "0")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Build(t.Context(), file, testRecipe(), io.Discard)
	u, ok := errors.AsType[*Unavailable](err)
	if !ok || !strings.Contains(u.Fix, "XDG_CACHE_HOME") {
		t.Errorf("got %v", err)
	}
}

func TestBuildStopsWhenItsContextEnds(t *testing.T) {
	useFakeGo(t, "0", "0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, t.TempDir(), testRecipe(), io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestBuildsOfOneRecipeAtTheSameTimeCompileOnce(t *testing.T) {
	g := NewWithT(t)
	log := useFakeGo(t, "0", "0")
	cache := t.TempDir()
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			_, err := Build(t.Context(), cache, testRecipe(), io.Discard)
			done <- err
		}()
	}
	for range cap(done) {
		g.Expect(<-done).To(Succeed())
	}
	g.Expect(strings.Count(read(t, log), "build ")).To(Equal(2), "two programs, once each")
}

func TestBuildReportsProgressWhileItRuns(t *testing.T) {
	g := NewWithT(t)
	slow := strings.Replace(fakeGo, "printf 'a\\nb\\n' >&2", "printf 'a\\nb\\n' >&2; read -r _ <\"$FAKE_GATE\"", 1)
	gate := filepath.Join(t.TempDir(), "gate")
	useFakes(t, map[string]string{"go": slow}, "FAKE_LIST=0", "FAKE_BUILD=0", "FAKE_GATE="+gate)
	_, err := run(t.Context(), filepath.Dir(gate), "mkfifo", gate)
	g.Expect(err).NotTo(HaveOccurred())

	out := &lines{}
	r := testRecipe()
	r.Programs = r.Programs[:1]
	b := &builder{recipe: r, tmp: t.TempDir(), out: out, every: 5 * time.Millisecond}
	b.goTool = filepath.Join(strings.Split(os.Getenv("PATH"), ":")[0], "go")
	done := make(chan error, 1)
	go func() { done <- b.run(t.Context()) }()
	g.Eventually(out.Tail, "5s", "5ms").Should(ContainSubstring("thing: one: 2 packages compiled, of at most 3, "))
	g.Expect(os.WriteFile(gate, []byte("go on\n"), 0o600)).To(Succeed())
	g.Expect(<-done).To(Succeed())
}

func TestRecipesPinWhatTheyBuild(t *testing.T) {
	tests := map[string]struct {
		load func() (Recipe, error)
		pins []string
	}{
		"the control plane pins Kubernetes and etcd": {ControlPlaneRecipe,
			[]string{"k8s.io/kubernetes v" + KubernetesVersion, "go.etcd.io/etcd/server/v3 v" + etcdVersion}},
		"the controller manager pins Kubernetes": {ControllerManagerRecipe, []string{"k8s.io/kubernetes v" + KubernetesVersion}},
		"alertmanager pins itself":               {AlertmanagerRecipe, []string{"github.com/prometheus/alertmanager v" + alertmanagerVersion}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := tc.load()
			if err != nil {
				t.Fatal(err)
			}
			for _, pin := range tc.pins {
				if !bytes.Contains(r.GoMod, []byte(pin)) {
					t.Errorf("go.mod does not contain %q", pin)
				}
				if !bytes.Contains(r.GoSum, []byte(pin+" h1:")) {
					t.Errorf("go.sum has no hash of %q", pin)
				}
			}
		})
	}
}

func TestRecipeChangesItsFolderWithItsContent(t *testing.T) {
	changes := map[string]func(r *Recipe){
		"another version of a dependency": func(r *Recipe) { r.GoMod = append(r.GoMod, 'x') },
		"another hash":                    func(r *Recipe) { r.GoSum = append(r.GoSum, 'x') },
		"another flag of the linker":      func(r *Recipe) { r.Programs[1].LDFlags = "" },
		"another version":                 func(r *Recipe) { r.Version = "1.1" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			before, after := testRecipe(), testRecipe()
			change(&after)
			a, err1 := before.Dir("/c")
			b, err2 := after.Dir("/c")
			if err1 != nil || err2 != nil || a == b {
				t.Errorf("folders %q (%v) and %q (%v) must differ", a, err1, b, err2)
			}
		})
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
