package containers

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/internal/binaries"
)

// says plays programs: what each says, by name and first argument; others are not there.
func says(answers map[string]string) runner {
	return func(_ context.Context, program string, args ...string) (string, error) {
		if said, ok := answers[program+" "+args[0]]; ok {
			return said, nil
		}
		return "", &binaries.Unavailable{What: program, Reason: "not on PATH", Fix: "install it"}
	}
}

func TestDaemonIsChosenWithItsReason(t *testing.T) {
	for name, tc := range map[string]struct {
		answers   map[string]string
		name, why string
	}{
		"docker comes first": {map[string]string{"docker version": "28.2.2", "podman version": "5.4.0"}, Docker, "docker 28.2.2 answers"},
		"then podman":        {map[string]string{"podman version": "5.4.0"}, Podman, "podman 5.4.0 answers; docker: not on PATH"},
		"neither":            {nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, why, err := find(t.Context(), says(tc.answers))
			if tc.name == "" {
				u, ok := errors.AsType[*binaries.Unavailable](err)
				if !ok || u.Fix != StartHint || u.Reason != "no container daemon answers (docker: not on PATH; podman: not on PATH)" {
					t.Errorf("got %v, want what to type", err)
				}
				return
			}
			if err != nil || d.Name != tc.name || why != tc.why {
				t.Errorf("got %s %q %v", d.Name, why, err)
			}
		})
	}
}

func TestAnInterruptIsNoMissingDaemon(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := find(ctx, says(nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestImagesOfARepositoryAsTheDaemonCallsThem(t *testing.T) {
	d := Daemon{Name: Docker, run: says(map[string]string{"docker image": strings.Join([]string{
		"kindest/node:v1.36.0", "localhost:5000/kindest/node:v1.35.0", "kindest/node:<none>", "kindest/nodes:v1", "me/mykindest/node:v1"}, "\n")})}
	got, err := d.Images(t.Context(), "kindest/node")
	if diff := cmp.Diff([]string{"kindest/node:v1.36.0", "localhost:5000/kindest/node:v1.35.0"}, got); err != nil || diff != "" {
		t.Error(diff, err)
	}
}

func TestNewestImage(t *testing.T) {
	for name, tc := range map[string]struct {
		images []string
		want   string
	}{
		"none":                                {nil, ""},
		"numbers, not letters":                {[]string{"kindest/node:v1.9.0", "kindest/node:v1.34.4", "kindest/node:v1.34.10"}, "kindest/node:v1.34.10"},
		"a host with a port":                  {[]string{"localhost:5000/kindest/node:v1.36.1"}, "localhost:5000/kindest/node:v1.36.1"},
		"tags that are no version":            {[]string{"kindest/node:latest", "kindest/node:v1.30.0"}, "kindest/node:v1.30.0"},
		"shorter tags, and those with a base": {[]string{"redis:7.4.2-alpine", "redis:8-alpine", "redis:7"}, "redis:8-alpine"},
		"nothing but those":                   {[]string{"kindest/node:latest"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Newest(tc.images); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestComplaintOfAProgramIsTheReason(t *testing.T) {
	_, err := run(t.Context(), "sh", "-c", "echo first >&2; echo second >&2; exit 3")
	u, ok := errors.AsType[*binaries.Unavailable](err)
	if !ok || u.Reason != "first" {
		t.Errorf("got %v", err)
	}
	if x, ok := errors.AsType[*exec.ExitError](err); !ok || x.ExitCode() != 3 {
		t.Errorf("the exit code is lost: %v", err)
	}
	if _, err := run(t.Context(), "no-such-program-anywhere"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// claimEnv makes the test binary claim something in this folder, say so, and be killed.
const claimEnv = "STORMPROOF_CONTAINERS_TEST_CLAIM"

func TestMain(m *testing.M) {
	dir := os.Getenv(claimEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	c, err := NewClaim(dir, "test")
	if err != nil {
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(c.Name + "\n")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until killed
}

func TestOnlyTheClaimsOfTheDeadAreOrphans(t *testing.T) {
	dir := t.TempDir()
	mine, err := NewClaim(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), claimEnv+"="+dir)
	in, err1 := other.StdinPipe()
	out, err2 := other.StdoutPipe()
	if err := errors.Join(err1, err2, other.Start()); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(string(line[:n]))
	if got := orphans(t, dir); len(got) != 0 {
		t.Errorf("%q are taken for orphans while both processes live", got)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = other.Process.Wait()
	_ = in.Close()
	if diff := cmp.Diff([]string{name}, orphans(t, dir)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{name}, orphans(t, dir)); diff != "" {
		t.Errorf("a claim that was kept is forgotten: %s", diff)
	}
	if err := mine.Release(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "claims", "*")); len(left) != 1 || filepath.Base(left[0]) != name {
		t.Errorf("left: %q", left)
	}
}

func orphans(t *testing.T, dir string) []string {
	t.Helper()
	got, err := Orphans(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range got {
		names = append(names, c.Name)
		c.Keep()
	}
	return names
}

func TestPodmanIsReachedAtItsSocket(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "podman.sock")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		daemon, host, says, want string
		fails                    bool
	}{
		"docker is found by its libraries": {daemon: Docker, says: there},
		"DOCKER_HOST is the user's word":   {daemon: Podman, host: "unix:///other.sock", says: there},
		"its service runs":                 {daemon: Podman, says: there, want: "unix://" + there},
		"newer ones say it as a URL":       {daemon: Podman, says: "unix://" + there, want: "unix://" + there},
		"its service does not run":         {daemon: Podman, says: filepath.Join(dir, "none.sock"), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", tc.host)
			d := Daemon{Name: tc.daemon, run: func(context.Context, string, ...string) (string, error) { return tc.says, nil }}
			got, err := d.Socket(t.Context())
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("got %q, %v", got, err)
			}
			if u, ok := errors.AsType[*binaries.Unavailable](err); tc.fails && (!ok || u.Fix == "") {
				t.Errorf("what to type is missing: %v", err)
			}
		})
	}
}
