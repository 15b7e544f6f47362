package environment

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/internal/binaries"
)

// whole is a machine that has everything.
var whole = Facts{Go: "/bin/go", CC: "/bin/gcc", Git: "/bin/git", Redis: "/bin/redis-server", Chromium: "/bin/chromium",
	ControlPlane: "/cache/cp", ControllerManager: "/cache/cm", Alertmanager: "/cache/am", RedisCached: "/cache/redis", Kind: "docker 28 with kindest/node:v1", Container: "docker 28 with redis:8",
	Apt: true, Cache: "/cache", FreeMB: 100_000}

func TestOnAWholeMachineEveryPartIsOK(t *testing.T) {
	var parts []string
	for _, f := range Diagnose(whole) {
		parts = append(parts, f.Part)
		if f.State != OK || f.What == "" || f.Fix != "" {
			t.Errorf("%+v, want ok, what was found, and nothing to fix", f)
		}
	}
	want := []string{"go", "git", "C compiler", "control plane", "kind", "redis-server", "redis container", "controller manager", "alertmanager", "disk", "chromium"}
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsMissingIsToldWithItsConsequenceAndItsFix(t *testing.T) {
	for name, tc := range map[string]struct {
		change         func(*Facts)
		part           string
		state          State
		what, why, fix string
	}{
		"without Go nothing can be built": {func(f *Facts) { f.Go = "" }, "go", Missing, "not on PATH", "nothing can be built", "go.dev/dl"},
		"without git the commit is not known": {func(f *Facts) { f.Git = "" }, "git", Degraded,
			"not on PATH", "commit", "apt-get install git"},
		"without a C compiler there is no race detector": {func(f *Facts) { f.CC = "" }, "C compiler", Degraded,
			"not on PATH", "race detector", "apt-get install gcc"},
		"without Chromium only the dashboard's test suffers": {func(f *Facts) { f.Chromium = "" }, "chromium", Degraded,
			"not on PATH", "test-dashboard", "apt-get install chromium"},
		"a control plane that can be built is no defect": {func(f *Facts) { f.ControlPlane = "" }, "control plane", OK,
			"not there yet", "about 5 minutes", ""},
		"a control plane that cannot be built is one": {func(f *Facts) { f.ControlPlane, f.Go = "", "" }, "control plane", Missing,
			"nor can it be built", "", "KUBEBUILDER_ASSETS"},
		"a cached control plane needs no Go": {func(f *Facts) { f.Go = "" }, "control plane", OK, "/cache/cp", "", ""},
		"Redis on PATH comes first":          {func(*Facts) {}, "redis-server", OK, "/bin/redis-server", "", ""},
		"then the cached one":                {func(f *Facts) { f.Redis = "" }, "redis-server", OK, "/cache/redis", "", ""},
		"then Debian's package": {func(f *Facts) { f.Redis, f.RedisCached = "", "" }, "redis-server", OK,
			"not there yet", "nothing is installed", ""},
		"else the embedded server, loudly": {func(f *Facts) { f.Redis, f.RedisCached, f.Apt = "", "", false }, "redis-server", Degraded,
			"embedded", "scenarios that need a real server fail", "install Redis"},
		"a controller manager to come is no defect": {func(f *Facts) { f.ControllerManager = "" }, "controller manager", OK,
			"not there yet", "the first run that needs it compiles it", ""},
		"an Alertmanager to come is no defect": {func(f *Facts) { f.Alertmanager = "" }, "alertmanager", OK, "not there yet", "compiles it", ""},
		"without a container daemon clusters have no nodes": {func(f *Facts) {
			f.NoKind = &binaries.Unavailable{What: "containers", Reason: "no container daemon answers", Fix: "start Docker"}
		}, "kind", Degraded, "no container daemon answers", "envtest", "start Docker"},
		"too little space to build": {func(f *Facts) { f.ControlPlane, f.FreeMB = "", needMB-1 }, "disk", Missing,
			fmt.Sprintf("%d MB free at /cache", needMB-1), fmt.Sprintf("%d MB", needMB), "XDG_CACHE_HOME"},
		"just enough space to build":            {func(f *Facts) { f.ControlPlane, f.FreeMB = "", needMB }, "disk", OK, fmt.Sprintf("%d MB free at /cache", needMB), "", ""},
		"little space with everything in place": {func(f *Facts) { f.FreeMB = 1 }, "disk", OK, "1 MB free at /cache", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			facts := whole
			tc.change(&facts)
			for _, f := range Diagnose(facts) {
				if f.Part != tc.part {
					continue
				}
				if f.State != tc.state || !strings.Contains(f.What, tc.what) || !strings.Contains(f.Why, tc.why) || !strings.Contains(f.Fix, tc.fix) {
					t.Errorf("got %+v, want %s %q %q %q", f, tc.state, tc.what, tc.why, tc.fix)
				}
				return
			}
			t.Errorf("nothing is said about %s", tc.part)
		})
	}
}

func TestWhateverIsNotOKHasAFix(t *testing.T) {
	for _, f := range Diagnose(Facts{NoKind: errors.New("unknown"), NoContainer: errors.New("unknown")}) {
		if f.State != OK && f.Fix == "" {
			t.Errorf("%+v tells no fix", f)
		}
	}
}
