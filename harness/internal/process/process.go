// Package process starts the programs that the harness needs (redis-server, etcd,
// kube-apiserver) so that none of them can outlive it, and gives them ports that nothing
// else on the host will take.
//
// Start runs a program in a process group of its own. It ends when Stop or Kill is called,
// when the context of Start ends, and also when the harness itself dies without a chance to
// clean up (kill -9, a crash): a Guard, a few lines of shell that hold one end of a pipe,
// notices that and kills exactly the processes that it was told about, after checking that
// they are still the same ones. Programs that a library starts are found with Children and
// handed to a Guard of their own.
//
// ReservePort picks listen ports below the range that the kernel hands out to clients, and
// keeps them for this process with a file lock, so that two harnesses on one host never
// meet on a port.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Spec says what to run.
type Spec struct {
	// Path is the program; it is not looked up on PATH.
	Path string
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Dir is the working directory.
	Dir string
	// Log receives standard output and standard error; nil discards them.
	Log io.Writer
}

// Process is a running child. Its methods are safe for concurrent use.
type Process struct {
	cmd   *exec.Cmd
	guard *Guard
	done  chan struct{}
	err   error // set before done is closed
}

// Start runs the program. The child is killed when ctx ends: pass the context of the whole
// run, not one that only bounds the start.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	guard, err := NewGuard()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Dir = spec.Dir
	cmd.Stdout, cmd.Stderr = spec.Log, spec.Log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that keeps the output open must not keep Wait from returning.
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", spec.Path, err), guard.Close())
	}
	p := &Process{cmd: cmd, guard: guard, done: make(chan struct{})}
	watchErr := guard.Watch(p.PID())
	stop := context.AfterFunc(ctx, func() { _ = p.signal(syscall.SIGKILL) }) // it may have ended by itself
	go p.wait(stop)
	if watchErr != nil {
		p.Kill()
		return nil, watchErr
	}
	return p, nil
}

func (p *Process) wait(stop func() bool) {
	err := p.cmd.Wait()
	stop()
	// Whatever the leader left in its group would otherwise live on.
	_ = p.signal(syscall.SIGKILL)
	p.err = errors.Join(err, p.guard.Close())
	close(p.done)
}

// PID is the process id of the child, which is also its group's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and was waited for.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the child ended; nil while it runs and after a clean exit.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Stop asks the child to end and waits for it; when ctx ends first, the child is killed,
// which is not an error: it is gone either way.
func (p *Process) Stop(ctx context.Context) {
	_ = p.signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Kill()
	}
}

// Kill ends the child at once, as a crash would, and waits for it.
func (p *Process) Kill() {
	_ = p.signal(syscall.SIGKILL) // it may have ended by itself
	<-p.done
}

// signal reaches the whole group. Once the child was waited for its id may be another's.
func (p *Process) signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return os.ErrProcessDone
	default:
		return syscall.Kill(-p.PID(), sig)
	}
}

// Tail keeps the last bytes written to it, for the error message of a program that did not
// start. It is an io.Writer for one writer; read it when the program has ended.
type Tail struct {
	// Max is the number of bytes kept; 0 means 2000.
	Max int
	buf []byte
}

// Write never fails.
func (t *Tail) Write(b []byte) (int, error) {
	limit := t.Max
	if limit == 0 {
		limit = 2000
	}
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - limit; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

// String is what was kept, without surrounding white space.
func (t *Tail) String() string { return strings.TrimSpace(string(t.buf)) }
