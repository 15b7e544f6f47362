package system

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/stormproof/stormproof/harness/internal/process"
)

// CrashVariable names the folder of crash points in a program's environment.
const CrashVariable = "STORMPROOF_CRASH_DIR"

// Bounds of a program's life.
const (
	listenWithin = 20 * time.Second
	// stopWithin is longer than any grace that a program gives its requests (the gateway: 20 s).
	stopWithin = 30 * time.Second
)

// Program is a service as an executable file. Args, Env, Files and the clock's path may
// hold Placeholders.
type Program struct {
	// Path of the executable.
	Path string
	Args []string
	// Env is added to the harness's own environment.
	Env map[string]string
	// Files are written into the replica's folder before each start, by relative name.
	Files map[string]string
	// Clock moves the program's clock; a zero Clock leaves its instances without Advancer.
	Clock Clock
}

// Start is a Factory.
func (p Program) Start(ctx context.Context, spec Spec) (Instance, error) {
	i := &program{clock: p.Clock, dir: spec.Dir, log: spec.LogFile, crashes: filepath.Join(spec.Dir, "crash")}
	if err := os.MkdirAll(i.crashes, 0o755); err != nil {
		return nil, fmt.Errorf("making the program's folder: %w", err)
	}
	i.before = i.hits()
	if err := i.start(ctx, p, spec); err != nil {
		i.release()
		return nil, err
	}
	if p.Clock.Path == "" {
		return i, nil
	}
	a := advancing{i}
	if spec.Offset == 0 {
		return a, nil
	}
	if err := a.Advance(ctx, spec.Offset); err != nil {
		i.Kill()
		return nil, err
	}
	return a, nil
}

// program is a running Program.
type program struct {
	dir, log, crashes string
	clock             Clock
	public, admin     *process.Port
	output            *os.File
	process           *process.Process
	killed            bool
	// before are the receipts of crash points from earlier starts.
	before map[string]time.Time
}

func (i *program) start(ctx context.Context, p Program, spec Spec) (err error) {
	if i.public, err = process.ReservePort(); err != nil {
		return err
	}
	if i.admin, err = process.ReservePort(); err != nil {
		return err
	}
	values, err := i.values(spec)
	if err != nil {
		return err
	}
	if !slices.Contains(Mentioned(p.texts()...), "admin") {
		i.admin.Release()
		i.admin = i.public
	}
	f, err := p.fill(values)
	if err != nil {
		return err
	}
	if err := f.write(spec.Dir); err != nil {
		return err
	}
	if i.output, err = os.OpenFile(spec.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("opening the program's log: %w", err)
	}
	run := process.Spec{Path: p.Path, Dir: spec.Dir, Args: f.args, Log: i.output, Env: []string{CrashVariable + "=" + i.crashes}}
	for _, name := range slices.Sorted(maps.Keys(f.env)) {
		run.Env = append(run.Env, name+"="+f.env[name])
	}
	// It lives as long as the world, which always stops it, not as long as one step.
	if i.process, err = process.Start(context.WithoutCancel(ctx), run); err != nil {
		return err
	}
	return i.listens(ctx)
}

func (i *program) values(spec Spec) (map[string]string, error) {
	kubeconfig := filepath.Join(spec.Dir, "kubeconfig")
	if spec.Kubernetes != nil {
		if err := writeKubeconfig(kubeconfig, spec.Kubernetes, spec.Namespace); err != nil {
			return nil, err
		}
	}
	values := spec.values()
	maps.Copy(values, map[string]string{"dir": spec.Dir, "listen": cmp.Or(spec.Listen, i.public.Addr()), "port": strconv.Itoa(i.public.Number),
		"admin": i.admin.Addr(), "kubeconfig": kubeconfig})
	return values, nil
}

// write puts the files into the program's folder.
func (f filled) write(dir string) error {
	for name, text := range f.files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			return fmt.Errorf("writing files.%s: %w", name, err)
		}
	}
	return nil
}

func writeKubeconfig(path string, c *rest.Config, namespace string) error {
	const name = "stormproof"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: c.Host}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: c.BearerToken}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	config.CurrentContext = name
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("writing the program's kubeconfig: %w", err)
	}
	return nil
}

// listens waits until something accepts connections at the public port.
func (i *program) listens(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listenWithin)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", i.public.Addr())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-i.process.Done():
			return i.ended("ended while starting")
		case <-ctx.Done():
			i.Kill()
			return fmt.Errorf("program %s does not listen on %s after %s; does it use {{listen}} or {{port}}? Last lines of %s:\n%s",
				filepath.Base(i.dir), i.public.Addr(), listenWithin, i.log, i.tail())
		case <-tick.C:
		}
	}
}

// EndedError is a program that ended by itself.
type EndedError struct {
	// Status is the exit status, -1 after a signal.
	Status int
	text   string
}

// Error has the last that the program said.
func (e *EndedError) Error() string { return e.text }

// ended says how the process went, with the last that it said.
func (i *program) ended(when string) error {
	status, how := 0, "exit status 0"
	if err := i.process.Err(); err != nil {
		status, how = -1, err.Error()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			status = exit.ExitCode()
		}
	}
	return &EndedError{Status: status, text: fmt.Sprintf("the program %s: %s; last lines of %s:\n%s", when, how, i.log, i.tail())}
}

func (i *program) tail() string { return tail(i.log) }

// tail is the end of a log, or why it cannot be read.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-10):], []byte("\n")))
}

// URL is the public listener.
func (i *program) URL() string { return "http://" + i.public.Addr() }

// AdminURL is the private listener, or the public one where the program has no other.
func (i *program) AdminURL() string { return "http://" + i.admin.Addr() }

// CrashDir is where crash points are armed.
func (i *program) CrashDir() string { return i.crashes }

// hits are the receipts in the crash folder, by the time at which they were armed.
func (i *program) hits() map[string]time.Time {
	out := map[string]time.Time{}
	paths, _ := filepath.Glob(filepath.Join(i.crashes, "*.hit")) // the pattern is well-formed
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			out[path] = info.ModTime()
		}
	}
	return out
}

// Exited says how the program ended by itself, nil while it runs.
func (i *program) Exited() error {
	select {
	case <-i.process.Done():
		return i.ended("ended by itself")
	default:
		return nil
	}
}

// crashed reports whether the program reached an armed crash point.
func (i *program) crashed() bool { return !maps.Equal(i.before, i.hits()) }

// Kill ends the program as a power cut would.
func (i *program) Kill() {
	i.killed = true
	i.process.Kill()
	i.release()
}

// Stop sends SIGTERM and waits.
func (i *program) Stop(ctx context.Context) error {
	defer i.release()
	if i.killed {
		return nil
	}
	if err := i.Exited(); err != nil {
		if i.crashed() {
			return nil
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	begin := time.Now()
	i.process.Stop(ctx)
	if ctx.Err() != nil {
		return fmt.Errorf("the program did not end within %s of SIGTERM and was killed; last lines of %s:\n%s",
			time.Since(begin).Round(time.Second), i.log, i.tail())
	}
	var exit *exec.ExitError
	if errors.As(i.process.Err(), &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGTERM {
			return nil // it does not handle the signal, and need not
		}
		if i.crashed() {
			return nil // it was dying already, and had not been waited for
		}
		return i.ended("ended badly after SIGTERM")
	}
	return i.process.Err()
}

// release gives back what the harness holds for the program; a second call does nothing.
func (i *program) release() {
	for _, p := range []*process.Port{i.public, i.admin} {
		if p != nil {
			p.Release()
		}
	}
	if i.process != nil {
		i.process.Kill() // of a process that has ended: returns at once
	}
	if i.output != nil {
		_ = i.output.Close() // the child wrote to it, not this process
		i.output = nil
	}
}

// advancing is a program with a clock.
type advancing struct{ *program }

// Advance implements Advancer.
func (a advancing) Advance(ctx context.Context, offset time.Duration) error {
	return a.clock.set(ctx, a.AdminURL(), offset)
}
