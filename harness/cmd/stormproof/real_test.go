//go:build servers

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/stormproof/stormproof/harness/internal/owned"
	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

// built is the program as `make` builds it.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "stormproof-real-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "stormproof")
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
	if err != nil {
		err = errors.New(string(out))
	}
	return path, err
})

// ours is in the environment of every program that these tests start, and of theirs.
const ours = "STORMPROOF_TEST"

// watchdog kills the programs when this process is killed, by a timeout for example: they
// are groups of their own, so nothing else would end them.
var watchdog *process.Guard

func TestMain(m *testing.M) {
	path, err := built()
	if err == nil {
		err = os.Setenv(ours, strconv.Itoa(os.Getpid()))
	}
	if err == nil {
		watchdog, err = process.NewGuard()
	}
	if err != nil {
		panic(err)
	}
	log.SetLogger(logr.Discard())
	code := m.Run()
	if left := marked(ours, strconv.Itoa(os.Getpid())); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "left after all tests, and killed now:\n%s\n", strings.Join(slices.Collect(maps.Values(left)), "\n"))
		_, err = process.KillMarked(ours, strconv.Itoa(os.Getpid()))
		code = max(code, 1)
	}
	if err := errors.Join(err, watchdog.Close(), os.RemoveAll(filepath.Dir(path))); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// command is the program in a folder, in a process group of its own, as a shell starts it.
type command struct {
	*exec.Cmd
	out bytes.Buffer
}

func start(t *testing.T, dir string, args ...string) *command {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	c := &command{Cmd: exec.Command(path, args...)}
	c.Dir, c.Stdout, c.Stderr = dir, &c.out, &c.out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	watch(t, c.Process.Pid)
	t.Cleanup(func() {
		if c.ProcessState == nil { // the test failed meanwhile
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
	return c
}

// watch has the watchdog kill a process after us.
func watch(t *testing.T, pid int) {
	t.Helper()
	if err := watchdog.Watch(pid); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) { // ended already
		t.Fatal(err)
	}
}

// code waits for the end.
func (c *command) code(t *testing.T) int {
	t.Helper()
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

// hold brings up an environment in a folder, for all runs there, and returns its kubeconfig.
func hold(t *testing.T, dir string) string {
	t.Helper()
	up := start(t, dir, "up")
	state := filepath.Join(dir, ".stormproof", "up.json")
	until(t, "up is up", func(context.Context) wait.Look {
		_, err := os.Stat(state)
		return wait.Look{Done: err == nil, Err: err}
	})
	t.Cleanup(func() {
		if got := start(t, dir, "down").code(t); got != exitPass {
			t.Errorf("down: exit %d", got)
		}
		if got := up.code(t); got != exitInterrupted {
			t.Errorf("up: exit %d after down, want %d\n%s", got, exitInterrupted, up.out.String())
		}
	})
	return filepath.Join(dir, ".stormproof", "up", "environment", "cluster", "kubeconfig")
}

func until(t *testing.T, what string, look func(context.Context) wait.Look) {
	t.Helper()
	if err := wait.Until(t.Context(), what, time.Minute, 20*time.Millisecond, look); err != nil {
		t.Fatal(err)
	}
}

// scene writes a scenario's file and returns its name.
func scene(t *testing.T, dir, id, rest string) string {
	t.Helper()
	name := strings.ToLower(id) + "-x.yaml"
	text := "id: " + id + "\ntitle: a scenario of this test\ncategory: error-handling\npromises: [P1]\n" + rest
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const (
	sendOne = "  - send: {id: one, alerts: [{labels: {alertname: A}}], answers: {201: 1}}\n"
	// lasting goes on until it is stopped.
	lasting = "timeout: 5m\nsteps:\n" + sendOne + "  - consistently: {for: 4m, that: rr.size() == 1}\n"
	// held makes an object that cannot be removed: a finalizer protects it.
	held = `  - apply: |
      apiVersion: remediation.stormproof.io/v1alpha1
      kind: RemediationRequest
      metadata: {name: held, namespace: "{{ns}}", finalizers: [remediation.stormproof.io/held]}
      spec: {fingerprint: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, incarnation: 1, alertName: A, severity: x,
        environment: unknown, priority: P2, source: alertmanager, target: {kind: Unknown, name: A}, startsAt: "2030-01-02T03:04:05.000000Z"}
`
)

// marked are the processes that have a variable with this value in their environment: what
// each runs, by its id.
func marked(variable, value string) map[int]string {
	out := map[int]string{}
	paths, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is well-formed
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(append([]byte{0}, b...), []byte("\x00"+variable+"="+value+"\x00")) {
			continue // it has ended meanwhile, or is another's
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))) // the pattern says digits
		args, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		out[pid] = strings.ReplaceAll(string(args), "\x00", " ")
	}
	return out
}

// of are the processes of a session, but for the program itself.
func of(session string) map[int]string { return marked(owned.Variable, session) }

func TestExitCodesOfTheProgram(t *testing.T) {
	dir := t.TempDir()
	kubeconfig := hold(t, dir)
	steps := func(text string) string { return "steps:\n" + text }
	for name, c := range map[string]struct {
		scenario, flags string
		want            int
		says            string
	}{
		"all is well":                 {steps(sendOne), "", exitPass, "1 passed, 0 failed"},
		"the system misbehaves":       {steps(strings.Replace(sendOne, "201", "202", 1)), "", exitFail, "failed ERR-99"},
		"a fault that hits nothing":   {steps("  - fault: {id: idle, target: kubernetes, kind: reset, after: 1000}\n" + sendOne), "", exitFail, "inconclusive ERR-99"},
		"a key outside of the prefix": {"needs: {redis: own}\n" + steps(sendOne+"  - redis: {command: [SET, foreign, x]}\n"), "", exitFail, "foreign, outside of the prefix"},
		"an object that stays":        {steps(sendOne + held), "", exitFail, "RemediationRequest sp-"},
		"a set-up that fails":         {"gateway: {redis: {onFailure: shrug}}\n" + steps(sendOne), "", exitFail, "shrug"},
		"an unknown field":            {"stepz: []\n" + steps(sendOne), "", exitUsage, "stepz"},
		"an unknown flag":             {steps(sendOne), "--retry 3", exitUsage, "unknown flag"},
		"no such kubeconfig":          {steps(sendOne), "--cluster existing --kubeconfig nowhere", exitEnvironment, "kubeconfig"},
		"half an environment":         {steps(sendOne), "--redis 127.0.0.1:1", exitEnvironment, "no usable server"},
		"nothing selected":            {steps(sendOne), "--id ERR-98", exitNothing, "nothing selected"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"run", scene(t, dir, "ERR-99", c.scenario)}, strings.Fields(c.flags)...)
			run := start(t, dir, args...)
			if got := run.code(t); got != c.want || !strings.Contains(run.out.String(), c.says) {
				t.Errorf("exit %d, want %d and %q in\n%s", got, c.want, c.says, run.out.String())
			}
		})
	}
	_, list := namespaces(t, kubeconfig)
	for _, ns := range list("") {
		if ns.DeletionTimestamp == nil {
			t.Errorf("namespace %s was left", ns.Name)
		}
	}
}

// begun waits for the scenario of a run that lasts, and returns its session.
func begun(t *testing.T, dir, kubeconfig string) string {
	t.Helper()
	session := ""
	_, list := namespaces(t, kubeconfig)
	until(t, "the scenario has begun", func(context.Context) wait.Look {
		histories, err := filepath.Glob(filepath.Join(dir, "reports", "*", "runs", "1", "scenarios", "ERR-99", "round-1", "history.jsonl"))
		if err != nil || len(histories) == 0 {
			return wait.Look{Err: err}
		}
		b, err := os.ReadFile(histories[0])
		if !bytes.Contains(b, []byte(`"answer"`)) {
			return wait.Look{Err: err}
		}
		var begin struct {
			Begin struct{ Namespaces []string }
		}
		first, _, _ := bytes.Cut(b, []byte("\n"))
		if err := json.Unmarshal(first, &begin); err != nil || len(begin.Begin.Namespaces) == 0 {
			return wait.Look{Err: err}
		}
		session, _, _ = strings.Cut(strings.TrimPrefix(begin.Begin.Namespaces[0], "sp-"), "r1-")
		return wait.Look{Done: len(list(session)) == 1}
	})
	return session
}

func TestAnInterruptedRunTidiesUpAndReports(t *testing.T) {
	held, dir := t.TempDir(), t.TempDir()
	kubeconfig := hold(t, held)
	run := start(t, dir, "run", "--cluster", "existing", "--kubeconfig", kubeconfig, scene(t, dir, "ERR-99", lasting))
	session := begun(t, dir, kubeconfig)
	if err := run.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := run.code(t); got != exitInterrupted {
		t.Errorf("exit %d, want %d\n%s", got, exitInterrupted, run.out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "reports", "latest", "report.json")); err != nil {
		t.Errorf("no report: %v", err)
	}
	_, list := namespaces(t, kubeconfig)
	for _, ns := range list(session) {
		if ns.DeletionTimestamp == nil {
			t.Errorf("namespace %s was left", ns.Name)
		}
	}
	if left := of(session); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestWhatAKilledRunLeftIsRemovedAndNothingElse kills a run together with its watchdogs,
// which is worse than kill -9 of the run alone.
func TestWhatAKilledRunLeftIsRemovedAndNothingElse(t *testing.T) {
	held := t.TempDir()
	kubeconfig := hold(t, held)
	begin := func() (*command, string, string) {
		dir := t.TempDir()
		run := start(t, dir, "run", "--cluster", "existing", "--kubeconfig", kubeconfig, scene(t, dir, "ERR-99", lasting))
		return run, begun(t, dir, kubeconfig), dir
	}
	victim, dead, dir := begin()
	survivor, alive, _ := begin()
	c, list := namespaces(t, kubeconfig)
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "sp-" + dead + "r1-lookalike"}}
	if err := c.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	servers := 0
	for pid, runs := range of(dead) {
		watch(t, pid) // from here on nobody else would
		if strings.Contains(runs, "redis-server") {
			servers++ // it might write a title over its environment, and its mark
		}
	}
	for _, pid := range children(t, victim.Process.Pid, "sh") {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it says that it was killed
	if len(of(dead)) == 0 || servers == 0 {
		t.Fatalf("no Redis was left to remove: this test shows nothing; left: %v", of(dead))
	}
	before := of(alive)
	down := start(t, t.TempDir(), "down", "--orphans")
	if got := down.code(t); got != exitPass {
		t.Errorf("down --orphans: exit %d\n%s", got, down.out.String())
	}
	until(t, "the killed run's processes are gone", func(context.Context) wait.Look { return wait.Look{Done: len(of(dead)) == 0} })
	for _, ns := range list(dead) {
		if gone := ns.DeletionTimestamp != nil; gone == (ns.Name == foreign.Name) {
			t.Errorf("namespace %s: going = %t", ns.Name, gone)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "reports", "*", "environment", "redis", "redis-*", "data")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for _, ns := range list(alive) {
		if ns.DeletionTimestamp != nil {
			t.Errorf("namespace %s of a live run goes", ns.Name)
		}
	}
	if now := of(alive); !maps.Equal(now, before) || len(before) == 0 {
		t.Errorf("the live run had processes %v and has %v", before, now)
	}
	if err := survivor.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := survivor.code(t); got != exitInterrupted {
		t.Errorf("the live run: exit %d, want %d\n%s", got, exitInterrupted, survivor.out.String())
	}
}

// children are the direct children of a process with this command name.
func children(t *testing.T, parent int, name string) (pids []int) {
	t.Helper()
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		var pid, ppid int
		var comm, state string
		if _, err := fmt.Sscan(string(b), &pid, &comm, &state, &ppid); err == nil && ppid == parent && comm == "("+name+")" {
			pids = append(pids, pid)
		}
	}
	return pids
}

func namespaces(t *testing.T, kubeconfig string) (client.Client, func(run string) []corev1.Namespace) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c, func(session string) []corev1.Namespace {
		var all corev1.NamespaceList
		if err := c.List(t.Context(), &all); err != nil {
			t.Error(err)
		}
		var out []corev1.Namespace
		for _, ns := range all.Items {
			if strings.HasPrefix(ns.Name, "sp-"+session) {
				out = append(out, ns)
			}
		}
		return out
	}
}
