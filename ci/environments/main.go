// Command environments runs the scenarios of scenarios/portable.txt on envtest, on Kind, on a
// cluster that exists already, and on Kind with the gateway as Pods, one after the other, and
// prints a table with one column for
// each: `make test-kind`. It exits with 1 where a cell is not green, and with 3 where an
// environment cannot be had.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stormproof/stormproof/harness/report"
)

const (
	program = "bin/stormproof"
	list    = "scenarios/portable.txt"
	output  = "reports/environments"
	// holdWithin bounds the start of the cluster that is then the existing one.
	holdWithin = 5 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := all(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "environments:", err)
	}
	os.Exit(code)
}

// all returns the exit code, and the error that needs to be said.
func all(ctx context.Context) (int, error) {
	raw, err := os.ReadFile(list)
	if err != nil {
		return 2, err
	}
	ids := parse(string(raw))
	columns := []column{{name: "envtest + process"}, {name: "Kind + container"}, {name: "existing"}, {name: "Kind + Pods"}}
	for i, args := range [][]string{{"--cluster", "envtest", "--redis", "process"}, {"--cluster", "kind", "--redis", "container"}} {
		if code, err := columns[i].run(ctx, fmt.Sprint(i+1), ids, args...); err != nil {
			return code, err
		}
	}
	kubeconfig, release, err := hold(ctx)
	if err != nil {
		return 3, fmt.Errorf("holding a cluster for the third column: %w", err)
	}
	code, err := columns[2].run(ctx, "3", ids, "--cluster", "existing", "--kubeconfig", kubeconfig, "--redis", "process")
	if err = errors.Join(err, release()); err != nil {
		return max(code, 1), err
	}
	pods := []string{"--cluster", "kind", "--redis", "container", "--system", "cluster"}
	if columns[3].cannot, err = notAsPods(ids); err != nil {
		return 2, err
	}
	if code, err := columns[3].run(ctx, "4", ids, pods...); err != nil {
		return code, err
	}
	text, green := table(ids, columns)
	fmt.Println(text)
	if !green {
		return 1, nil
	}
	return 0, nil
}

// run fills a column. Red scenarios are no error here: the table shows them.
func (c *column) run(ctx context.Context, folder string, ids []string, args ...string) (int, error) {
	fmt.Printf("\n== %s\n", c.name)
	dir := filepath.Join(output, folder)
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return c.cannot[id] })
	cmd := command(ctx, append([]string{"run", "--id", strings.Join(ids, ","), "--output", dir}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); err != nil && code != 1 {
		return max(code, 1), fmt.Errorf("%s: %w", c.name, err)
	}
	r, err := report.Load(filepath.Join(dir, "latest", "report.json"))
	if err != nil {
		return 1, err
	}
	c.fill(r)
	return 0, nil
}

// hold starts a cluster in a folder of its own and returns its kubeconfig.
func hold(ctx context.Context) (kubeconfig string, release func() error, err error) {
	dir, err := os.MkdirTemp("", "stormproof-existing-")
	if err != nil {
		return "", nil, err
	}
	self, err := filepath.Abs(program)
	if err != nil {
		return "", nil, err
	}
	up := command(ctx, "up", "--cluster", "envtest", "--redis", "embedded")
	up.Path, up.Dir, up.Stderr = self, dir, os.Stderr
	out := &firstLine{found: make(chan string, 1)}
	up.Stdout = out
	if err := up.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	release = func() error {
		_ = up.Process.Signal(os.Interrupt) // ended says whether it has gone already
		if err := <-ended; err != nil && up.ProcessState.ExitCode() != 130 {
			return fmt.Errorf("the held cluster: %w", err)
		}
		return os.RemoveAll(dir)
	}
	timeout := time.NewTimer(holdWithin)
	defer timeout.Stop()
	select {
	case line := <-out.found:
		return strings.TrimPrefix(line, "export KUBECONFIG="), release, nil
	case err := <-ended:
		return "", nil, fmt.Errorf("stormproof up ended: %w", err)
	case <-timeout.C:
		return "", nil, errors.Join(errors.New("stormproof up is not up yet"), release())
	}
}

// command asks the program to end, and waits for its clean-up, when ctx ends.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Minute
	return cmd
}
