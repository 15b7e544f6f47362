package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/report"
)

const (
	startTimeout = 10 * time.Second
	// pollEvery is short because a server is up within 20 ms, and many scenarios start one.
	pollEvery = 2 * time.Millisecond
)

// errEnded says that a server cannot be used again.
var errEnded = errors.New("the server was stopped for good")

// child is a redis-server that we run.
type child struct {
	binary Binary
	port   *process.Port
	peer   peer
	// lines are added to its configuration, args to its command.
	lines, args []string
	dir         string
	ownDir      bool // dir is temporary
	log         *os.File
	detach      func() bool

	mu   sync.Mutex // the end of the context of Start may come at any time
	proc *process.Process
	over bool
}

func startProcess(ctx context.Context, opt Options) (*Server, error) {
	binary, reason, err := choose(ctx, opt)
	if err != nil {
		return nil, err
	}
	c, err := newChild(binary, opt.Password)
	if err != nil {
		return nil, fmt.Errorf("starting redis: %w", err)
	}
	c.args = opt.Args
	if err := c.run(ctx, opt.Dir); err != nil {
		return nil, errors.Join(fmt.Errorf("starting redis: %w", err), c.stop(ctx))
	}
	return &Server{Addr: c.peer.addr, Password: opt.Password, Kind: Process, Binary: binary, engine: c,
		Choice: report.Choice{Part: "redis", Chosen: "process (redis-server " + binary.Version + ")", Reason: reason}}, nil
}

// newChild has its port and does not run yet.
func newChild(binary Binary, password string) (*child, error) {
	port, err := process.ReservePort()
	if err != nil {
		return nil, err
	}
	return &child{binary: binary, port: port, peer: peer{addr: port.Addr(), password: password},
		detach: func() bool { return true }}, nil
}

// run starts the server for the first time, in a folder below parent; it ends with ctx.
func (c *child) run(ctx context.Context, parent string) error {
	c.detach = context.AfterFunc(ctx, c.abort)
	if err := c.open(parent); err != nil {
		return err
	}
	return c.start(ctx)
}

// choose is the program that was given, else the best that can be found.
func choose(ctx context.Context, opt Options) (Binary, string, error) {
	if opt.Binary != nil {
		return *opt.Binary, "its program was given", nil
	}
	binary, reason, err := Find(ctx, opt)
	if err != nil && ctx.Err() == nil {
		err = &ErrUnavailable{What: "redis", Reason: "no redis-server on PATH, in the cache, or from Debian's package",
			Fix: installHint, Err: err}
	}
	return binary, reason, err
}

// open makes the server's folder, its configuration and its log. The password goes into a
// file that only this user can read, not into arguments that everybody can.
func (c *child) open(parent string) error {
	var err error
	if parent == "" {
		c.ownDir = true
		c.dir, err = os.MkdirTemp("", "stormproof-redis-")
	} else {
		c.dir = filepath.Join(parent, "redis-"+strconv.Itoa(c.port.Number))
		err = os.MkdirAll(c.dir, 0o700)
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.data(), 0o700); err != nil {
		return err
	}
	text := config(c.port.Number, c.data(), c.peer.password, c.binary.Version)
	for _, line := range c.lines {
		text += line + "\n" // a later line wins over an earlier one
	}
	if err := os.WriteFile(c.conf(), []byte(text), 0o600); err != nil {
		return err
	}
	c.log, err = os.OpenFile(filepath.Join(c.dir, "redis.log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	return err
}

func (c *child) data() string { return filepath.Join(c.dir, "data") }
func (c *child) conf() string { return filepath.Join(c.dir, "redis.conf") }

// config keeps nothing on disk by default; arguments of the caller come later and win.
func config(port int, dir, password, version string) string {
	lines := []string{
		"bind 127.0.0.1",
		"port " + strconv.Itoa(port),
		"dir " + quote(dir),
		`save ""`,
		"appendonly no",
		"daemonize no",
	}
	if major(version) >= 7 {
		// Faults use DEBUG, which servers from version 7 on allow only where configured. A
		// title would be written over the environment, which says whose the process is.
		lines = append(lines, "enable-debug-command local", "set-proc-title no")
	}
	if password != "" {
		lines = append(lines, "requirepass "+quote(password))
	}
	return strings.Join(lines, "\n") + "\n"
}

// major is the first number of a version; 0 when it is unknown.
func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return n
}

// quote writes a string as redis.conf reads it: bytes outside ASCII's letters as \xNN.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '"' || ch == '\\':
			b.WriteByte('\\')
			b.WriteByte(ch)
		case ch < 0x20 || ch > 0x7e:
			fmt.Fprintf(&b, `\x%02x`, ch)
		default:
			b.WriteByte(ch)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// start outlives ctx, which bounds only the start: abort and stop end the server.
func (c *child) start(ctx context.Context) error {
	proc, err := process.Start(context.WithoutCancel(ctx), process.Spec{
		Path: c.binary.Path,
		Args: append([]string{c.conf()}, c.args...),
		Env:  c.binary.environ(),
		Dir:  c.dir,
		Log:  c.log,
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	over := c.over
	c.proc = proc
	c.mu.Unlock()
	if over {
		proc.Kill()
		return errEnded
	}
	if err := c.ready(ctx, proc); err != nil {
		proc.Kill()
		return err
	}
	return nil
}

func (c *child) ready(ctx context.Context, proc *process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		last := c.peer.ping(ctx)
		if last == nil {
			return nil
		}
		if said, ok := errors.AsType[serverError](last); ok && !said.loading() {
			return last // it is up, and waiting does not make it agree
		}
		select {
		case <-proc.Done():
			return fmt.Errorf("redis-server ended at once: %w: %s", proc.Err(), c.said())
		case <-ctx.Done():
			return fmt.Errorf("redis-server does not answer at %s: %w (last: %w)", c.port.Addr(), ctx.Err(), last)
		case <-tick.C:
		}
	}
}

// said is the end of the server's log.
func (c *child) said() string {
	raw, err := os.ReadFile(c.log.Name())
	if err != nil {
		return "its log is gone"
	}
	tail := &process.Tail{}
	_, _ = tail.Write(raw) // never fails
	return tail.String()
}

func (c *child) running() *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proc
}

// abort kills the server for good. Its data goes with it, so nothing is worth a graceful end.
func (c *child) abort() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	if proc := c.running(); proc != nil {
		proc.Kill()
	}
}

func (c *child) stop(context.Context) error {
	c.detach()
	c.abort()
	c.port.Release()
	var errs []error
	if c.log != nil {
		if err := c.log.Close(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if c.ownDir && c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

func (c *child) kill() error {
	c.running().Kill()
	return nil
}

func (c *child) restart(ctx context.Context, keepData bool) error {
	if err := c.end(ctx, keepData); err != nil {
		return fmt.Errorf("restarting redis: %w", err)
	}
	if !keepData {
		if err := errors.Join(os.RemoveAll(c.data()), os.MkdirAll(c.data(), 0o700)); err != nil {
			return fmt.Errorf("restarting redis: %w", err)
		}
	}
	if err := c.start(ctx); err != nil {
		return fmt.Errorf("restarting redis: %w", err)
	}
	return nil
}

// end stops the server. To keep the data it must be the server itself that saves and ends
// in one step: a write between the two would be lost.
func (c *child) end(ctx context.Context, keepData bool) error {
	proc := c.running()
	select {
	case <-proc.Done():
		return nil
	default:
	}
	if !keepData {
		proc.Kill()
		return nil
	}
	if _, err := c.peer.command(ctx, "SHUTDOWN", "SAVE"); err != nil && !errors.Is(err, errClosed) {
		return fmt.Errorf("saving the data: %w", err)
	}
	select {
	case <-proc.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the server to save and end: %w", ctx.Err())
	}
}
