// Package redis starts Redis servers for scenarios.
//
// Start picks the best server that this machine can run and says why: a container, where a
// daemon and an image are there; a redis-server on PATH, one that an earlier run left in the user's cache, or Debian's package, downloaded
// and unpacked there without installing anything; and where none of these can be had, the
// embedded miniredis, which is said loudly because it is no real server. A kind can be
// forced, and a forced kind that is impossible is an error with its fix, never a silent
// substitute. An address instead of a kind uses a server that is already there.
//
//	auto ── container ── process ── embedded
//	          │            └── PATH, cache, Debian's package
//	          └── a local image, or, when containers are asked for, the official one
//
// StartTopology brings up a set of servers of our own: one, a master with replicas and
// sentinels, or a cluster, with TLS and a password if wanted. Its nodes are chosen by role,
// killed, revived, failed over and, in a cluster, their slots moved; Access says how clients
// reach it.
//
// Every server listens on 127.0.0.1 only, on a port below those of outgoing connections,
// keeps nothing on disk unless asked to, and is gone when it is stopped, when the context
// of Start ends, and when the harness is killed: a container then goes when the next one
// starts, which knows it by its claim.
package redis

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/report"
)

// Kinds of servers. Anything else is taken for the host:port of an existing one.
const (
	Auto      = "auto"
	Container = "container"
	Process   = "process"
	Embedded  = "embedded"
	// Existing is the Kind of a Server that was given by its address.
	Existing = "existing"
)

// ErrUnavailable says why a kind of server cannot be had here, and the fix.
type ErrUnavailable = binaries.Unavailable

// Binary is a redis-server program.
type Binary struct {
	Path string `json:"path"`
	// LibPath is for LD_LIBRARY_PATH; "" where the system's libraries do.
	LibPath string `json:"lib_path,omitempty"`
	// Version is as the program says it, for example "7.0.15".
	Version string `json:"version"`
}

// Options for Start; the zero value starts the best server there is.
type Options struct {
	// Kind is one of the kinds above, "" for Auto, or host:port.
	Kind string
	// Args are further arguments of redis-server ("--maxmemory", "10mb").
	Args []string
	// Password that clients must give; "" for none.
	Password string
	// Dir is where the server gets a folder of its own for its log and data; "" for a
	// temporary one that Stop removes.
	Dir string
	// CacheDir is where programs are kept; "" for the user's cache folder.
	CacheDir string
	// Binary is used instead of looking for one.
	Binary *Binary
	// Image is used for a container instead of looking for one.
	Image string
	// DockerHost is where the daemon is, where the environment does not say so.
	DockerHost string
	// Out receives progress and warnings; nil discards them.
	Out io.Writer
}

// engine is one way to run a server.
type engine interface {
	stop(ctx context.Context) error
	restart(ctx context.Context, keepData bool) error
	kill() error
}

// Server is a running server. Its fields do not change; its methods must not be called
// concurrently.
type Server struct {
	// Addr is host:port.
	Addr     string
	Password string
	// Kind is Container, Process, Embedded or Existing.
	Kind string
	// Binary is the zero value unless Kind is Process.
	Binary Binary
	// Image is "" unless Kind is Container.
	Image  string
	Choice report.Choice

	engine engine
}

// Start brings up a server and returns when it answers PING. The server ends with ctx:
// pass the context of the whole run. Errors are *ErrUnavailable where the fix lies with
// the machine.
func Start(ctx context.Context, opt Options) (*Server, error) {
	if opt.Out == nil {
		opt.Out = io.Discard
	}
	switch opt.Kind {
	case "", Auto:
		return startAuto(ctx, opt)
	case Process:
		return startProcess(ctx, opt)
	case Embedded:
		return startEmbedded(ctx, opt, "it was asked for")
	case Container:
		return startContainer(ctx, opt)
	default:
		return useExisting(ctx, opt)
	}
}

func startAuto(ctx context.Context, opt Options) (*Server, error) {
	rung := func(name string, try func() (*Server, error)) binaries.Rung[*Server] {
		return binaries.Rung[*Server]{Name: name, Try: func(context.Context) (*Server, string, error) {
			s, err := try()
			if err != nil {
				return nil, "", err
			}
			return s, s.Choice.Reason, nil
		}}
	}
	catch, err := binaries.Climb(ctx, []binaries.Rung[*Server]{
		rung(Container, func() (*Server, error) { return startContainer(ctx, opt) }),
		rung(Process, func() (*Server, error) { return startProcess(ctx, opt) }),
		rung(Embedded, func() (*Server, error) {
			return startEmbedded(ctx, opt, "no real server can be had")
		}),
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("starting redis: %w", err)
	}
	catch.Got.Choice.Reason = catch.Why()
	if catch.Rung == Embedded {
		say(opt.Out, "WARNING: redis is the embedded miniredis, not a real server (%s).\n"+
			"         Scenarios that need a real one will fail. To fix it: %s\n", catch.Why(), installHint)
	}
	return catch.Got, nil
}

// installHint is the one command that brings a real server.
const installHint = "apt-get install redis-server (or your system's package of Redis)"

// Stop ends the server, and its data with it. An existing server is left alone.
func (s *Server) Stop(ctx context.Context) error { return s.engine.stop(ctx) }

// Restart ends the server, if it runs, and starts it on the same address. Its data is
// saved and loaded again, or removed. After Kill, keepData means what was saved before.
func (s *Server) Restart(ctx context.Context, keepData bool) error {
	return s.engine.restart(ctx, keepData)
}

// Kill ends the server as a crash would.
func (s *Server) Kill() error { return s.engine.kill() }

// external is a server that somebody else runs.
type external struct{ addr string }

func useExisting(ctx context.Context, opt Options) (*Server, error) {
	addr := opt.Kind
	if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
		return nil, &ErrUnavailable{What: "redis", Reason: fmt.Sprintf("%q is neither a kind nor host:port", addr),
			Fix: "use " + strings.Join([]string{Auto, Container, Process, Embedded}, ", ") + " or host:port"}
	}
	if err := ping(ctx, addr, opt.Password); err != nil {
		return nil, &ErrUnavailable{What: "redis", Reason: "no usable server at " + addr,
			Fix: "check the address and the password, or let stormproof start one with --redis=auto", Err: err}
	}
	return &Server{Addr: addr, Password: opt.Password, Kind: Existing, engine: external{addr},
		Choice: report.Choice{Part: "redis", Chosen: "existing " + addr, Reason: "its address was given"}}, nil
}

func (e external) stop(context.Context) error { return nil }

func (e external) restart(context.Context, bool) error { return e.refuse("restarted") }

func (e external) kill() error { return e.refuse("killed") }

func (e external) refuse(what string) error {
	return &ErrUnavailable{What: "redis", Reason: "the server at " + e.addr + " is not ours and is not " + what,
		Fix: "run this scenario with --redis=auto"}
}

// say prints to a person; a reader that went away is no reason to stop.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
