package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/report"
)

// hangEnv makes the test binary play an etcd that never becomes healthy; its value is a file
// to make once it runs.
const hangEnv = "STORMPROOF_CLUSTER_TEST_HANG"

func TestMain(m *testing.M) {
	up := os.Getenv(hangEnv)
	if up == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if slices.Contains(os.Args, "--help") {
		return // envtest asks for the flags first
	}
	if err := os.WriteFile(up, nil, 0o600); err != nil {
		os.Exit(1)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt)
	<-end
}

// fakeLadder has the kinds that are named, and refuses the others.
func fakeLadder(there ...string) ladder {
	way := func(kind string) func(context.Context) (*Cluster, error) {
		return func(context.Context) (*Cluster, error) {
			for _, k := range there {
				if k == kind {
					return &Cluster{Kind: kind, Choice: report.Choice{Reason: kind + " is there"}}, nil
				}
			}
			return nil, &ErrUnavailable{What: "cluster", Reason: "no " + kind, Fix: "bring " + kind}
		}
	}
	return ladder{kind: way(Kind), envtest: way(Envtest), existing: way(Existing)}
}

func TestChoiceOfTheCluster(t *testing.T) {
	tests := map[string]struct {
		opt   Options
		there []string
		kind  string
		why   string
	}{
		"auto prefers Kind":                              {Options{}, []string{Kind, Envtest, Existing}, Kind, "kind is there"},
		"auto falls to envtest and says why":             {Options{Kind: Auto}, []string{Envtest, Existing}, Envtest, "envtest is there; kind: no kind"},
		"auto never takes an existing one by itself":     {Options{}, []string{Existing}, "", ""},
		"a kubeconfig that was given is meant":           {Options{Kubeconfig: "k"}, []string{Kind, Envtest, Existing}, Existing, "existing is there"},
		"a kubeconfig that does not work is an error":    {Options{Kubeconfig: "k"}, []string{Kind, Envtest}, "", ""},
		"a forced kind that is there":                    {Options{Kind: Envtest, Kubeconfig: "k"}, []string{Kind, Envtest, Existing}, Envtest, "envtest is there"},
		"a forced kind that is absent is never replaced": {Options{Kind: Kind}, []string{Envtest, Existing}, "", ""},
		"a kind that does not exist":                     {Options{Kind: "nomad"}, []string{Kind, Envtest, Existing}, "", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tc.opt.Out = &bytes.Buffer{}
			got, err := climb(t.Context(), tc.opt, fakeLadder(tc.there...))
			if tc.kind == "" {
				u, ok := errors.AsType[*ErrUnavailable](err)
				if !ok || u.Fix == "" {
					t.Errorf("got %v, want an *ErrUnavailable with its fix", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tc.kind, tc.why}, []string{got.Got.Kind, got.Why()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestProgramsOfTheControlPlaneComeFromTheNearestPlace(t *testing.T) {
	nothing := func(context.Context) (string, error) { return "", errors.New("refused") }
	gives := func(dir string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return dir, nil }
	}
	both := []string{apiServerProgram, etcdProgram}
	tests := map[string]struct {
		variable          string
		has               []string
		cached            string
		download, compile func(context.Context) (string, error)
		rung, dir, why    string
	}{
		"the variable comes first": {"/mine", both, "/cache", nothing, nothing, assetsVariable, "/mine", "KUBEBUILDER_ASSETS is set"},
		"a variable that lacks a program is passed over": {"/mine", []string{apiServerProgram}, "/cache", nothing, nothing,
			"cache", "/cache", "the programs are in the cache; KUBEBUILDER_ASSETS: /mine has no etcd"},
		"then the cache": {"", nil, "/cache", gives("/d"), gives("/c"), "cache", "/cache", "the programs are in the cache; KUBEBUILDER_ASSETS: not set"},
		"then a download": {"", nil, "", gives("/d"), gives("/c"), "download", "/d",
			"setup-envtest's archive was downloaded into the cache; KUBEBUILDER_ASSETS: not set; cache: empty"},
		"then the compiler": {"", nil, "", nothing, gives("/c"), "compiled", "/c",
			"compiled from Go modules into the cache; KUBEBUILDER_ASSETS: not set; cache: empty; download: refused"},
		"nothing": {"", nil, "", nothing, nothing, "", "", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			a := assets{
				variable: tc.variable,
				has:      func(_, program string) bool { return strings.Contains(strings.Join(tc.has, " "), program) },
				cached:   func() (string, error) { return tc.cached, nil },
				download: tc.download,
				compile:  tc.compile,
			}
			got, err := a.find(t.Context(), nil)
			if (err == nil) != (tc.rung != "") {
				t.Fatalf("got error %v", err)
			}
			if diff := cmp.Diff([]string{tc.rung, tc.dir}, []string{got.Rung, got.Got}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err == nil && got.Why() != tc.why {
				t.Errorf("got reason %q, want %q", got.Why(), tc.why)
			}
		})
	}
}

func TestCacheIsEmptyAtFirst(t *testing.T) {
	got, err := Cached(t.TempDir())
	if err != nil || got != "" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := binaries.ControlPlaneRecipe(); err != nil {
		t.Error(err)
	}
}
