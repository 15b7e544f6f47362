package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"

	"github.com/stormproof/stormproof/harness/internal/containers"
	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/report"
)

const (
	// claimLabel is on every container of ours; its value is the name in the claim.
	claimLabel    = "stormproof.dev/claim"
	insidePort    = 6379
	insideConfig  = "/etc/stormproof-redis.conf"
	containerWait = time.Minute
)

// quietly sets testcontainers up, once. Its own reaper is an image more to have and a
// connection more to lose: claims do its work, and what a killed run left goes when the next
// one starts.
var quietly = sync.OnceValue(func() error {
	tclog.SetDefault(tclog.NewNoopLogger())
	return os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
})

// contained is a server in a container of our own, at a port of this host.
type contained struct {
	daemon containers.Daemon
	image  string
	claim  *containers.Claim
	port   *process.Port
	peer   peer
	args   []string
	dir    string // "" keeps no log
	detach func() bool

	mu  sync.Mutex // the end of the context of Start may come at any time
	ctr *testcontainers.DockerContainer
}

func startContainer(ctx context.Context, opt Options) (*Server, error) {
	if err := containers.At(opt.DockerHost); err != nil {
		return nil, fmt.Errorf("starting redis: %w", err)
	}
	daemon, image, reason, err := findImage(ctx, opt)
	if err != nil {
		return nil, err
	}
	if err := reach(ctx, daemon); err != nil {
		return nil, err
	}
	if err := errors.Join(quietly(), sweep(ctx, daemon, opt)); err != nil {
		return nil, fmt.Errorf("starting redis: %w", err)
	}
	c := &contained{daemon: daemon, image: image, args: opt.Args, dir: opt.Dir, detach: func() bool { return true }}
	if err := c.open(opt); err != nil {
		return nil, fmt.Errorf("starting redis: %w", err)
	}
	c.detach = context.AfterFunc(ctx, func() { _ = c.remove(context.WithoutCancel(ctx)) }) // stop reports what is left
	if err := c.start(ctx); err != nil {
		err = errors.Join(err, c.stop(context.WithoutCancel(ctx)))
		return nil, noContainer(ctx, "the container of "+image+" did not come up", "check that "+daemon.Name+" runs on this machine ("+daemon.Name+" info)", err)
	}
	return &Server{Addr: c.peer.addr, Password: opt.Password, Kind: Container, Image: image, engine: c,
		Choice: report.Choice{Part: "redis", Chosen: "container (" + image + ")", Reason: reason}}, nil
}

// reach tells testcontainers where a daemon is that it does not find by itself.
func reach(ctx context.Context, d containers.Daemon) error {
	socket, err := d.Socket(ctx)
	if err != nil {
		return noDaemon(ctx, err)
	}
	if socket == "" {
		return nil
	}
	if err := os.Setenv("DOCKER_HOST", socket); err != nil {
		return fmt.Errorf("starting redis: %w", err)
	}
	return nil
}

// open gets what the server has for good, restarts included: its name and its port.
func (c *contained) open(opt Options) (err error) {
	if c.claim, err = containers.NewClaim(opt.CacheDir, "redis"); err != nil {
		return err
	}
	if c.port, err = process.ReservePort(); err != nil {
		return errors.Join(err, c.claim.Release())
	}
	c.peer = peer{addr: c.port.Addr(), password: opt.Password}
	return nil
}

// start makes the container and returns when the server answers.
func (c *contained) start(ctx context.Context) error {
	inside := network.MustParsePort(strconv.Itoa(insidePort) + "/tcp")
	ctr, err := testcontainers.Run(ctx, c.image,
		testcontainers.WithName(c.claim.Name),
		testcontainers.WithLabels(map[string]string{claimLabel: c.claim.Name}),
		testcontainers.WithCmd(append([]string{insideConfig}, c.args...)...),
		testcontainers.WithFiles(testcontainers.ContainerFile{Reader: strings.NewReader(c.config()), ContainerFilePath: insideConfig, FileMode: 0o644}),
		testcontainers.WithExposedPorts(inside.String()),
		// One that is stopped is meant to crash; a graceful end is asked of the server itself.
		testcontainers.WithConfigModifier(func(config *container.Config) { config.StopSignal = "SIGKILL" }),
		testcontainers.WithHostConfigModifier(func(host *container.HostConfig) {
			host.PortBindings = network.PortMap{inside: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(c.port.Number)}}}
		}))
	c.mu.Lock()
	c.ctr = ctr
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.ready(ctx)
}

// config is that of a process, as it must be inside: reachable from outside, where
// everybody who gets in is us.
func (c *contained) config() string {
	_, tag, _ := strings.Cut(filepath.Base(c.image), ":")
	version := tag
	if major(tag) == 0 {
		version = strconv.Itoa(leastMajor) // "latest"
	}
	text := config(insidePort, "/data", c.peer.password, version)
	text = strings.ReplaceAll(text, "bind 127.0.0.1\n", "bind 0.0.0.0\nprotected-mode no\n")
	return strings.ReplaceAll(text, "enable-debug-command local", "enable-debug-command yes")
}

func (c *contained) ready(ctx context.Context) error {
	return wait.Until(ctx, "redis in the container "+c.claim.Name+" answers PING", startTimeout, pollEvery, func(ctx context.Context) wait.Look {
		err := c.peer.ping(ctx)
		if err == nil {
			return wait.Look{Done: true}
		}
		if said, ok := errors.AsType[serverError](err); ok && !said.loading() {
			return wait.Look{Hopeless: err} // it is up, and waiting does not make it agree
		}
		state, gone := c.ctr.State(ctx)
		if gone == nil && !state.Running {
			return wait.Look{Hopeless: fmt.Errorf("it ended with code %d: %s", state.ExitCode, c.said(ctx))}
		}
		return wait.Look{Err: err}
	})
}

// said is the end of the server's log.
func (c *contained) said(ctx context.Context) string {
	tail := &process.Tail{}
	if err := c.logs(ctx, tail); err != nil {
		return "its log cannot be read: " + err.Error()
	}
	return tail.String()
}

func (c *contained) logs(ctx context.Context, to io.Writer) error {
	from, err := c.ctr.Logs(ctx)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, from.Close())
}

// keepLog adds the container's log to the folder, before the container goes.
func (c *contained) keepLog(ctx context.Context) error {
	if c.dir == "" {
		return nil
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(c.dir, c.claim.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(c.logs(ctx, f), f.Close())
}

// remove ends the container and its data; a second call does nothing.
func (c *contained) remove(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctr == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, containerWait)
	defer cancel()
	err := errors.Join(c.keepLog(ctx), testcontainers.TerminateContainer(c.ctr, testcontainers.StopContext(ctx), testcontainers.StopTimeout(0)))
	c.ctr = nil
	return err
}

func (c *contained) stop(ctx context.Context) error {
	c.detach()
	err := c.remove(ctx)
	c.port.Release()
	if err != nil {
		c.claim.Keep()
		return fmt.Errorf("removing the container %s: %w; the next start tries again", c.claim.Name, err)
	}
	return c.claim.Release()
}

func (c *contained) kill() error {
	ctx, cancel := context.WithTimeout(context.Background(), containerWait)
	defer cancel()
	if err := c.ctr.Stop(ctx, nil); err != nil {
		return fmt.Errorf("killing redis: %w", err)
	}
	return nil
}

func (c *contained) restart(ctx context.Context, keepData bool) (err error) {
	if keepData {
		err = c.resume(ctx)
	} else if err = c.remove(ctx); err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		return fmt.Errorf("restarting redis: %w", err)
	}
	return nil
}

// resume lets the server save and end, if it runs, and starts the same container again. To
// keep the data it must be the server itself that saves and ends in one step.
func (c *contained) resume(ctx context.Context) error {
	state, err := c.ctr.State(ctx)
	if err != nil {
		return err
	}
	if state.Running {
		if _, err := c.peer.command(ctx, "SHUTDOWN", "SAVE"); err != nil && !errors.Is(err, errClosed) {
			return fmt.Errorf("saving the data: %w", err)
		}
		err := wait.Until(ctx, "the server saves and ends", startTimeout, pollEvery, func(ctx context.Context) wait.Look {
			state, err := c.ctr.State(ctx)
			return wait.Look{Done: err == nil && !state.Running, Err: err}
		})
		if err != nil {
			return err
		}
	}
	if err := c.ctr.Start(ctx); err != nil {
		return err
	}
	return c.ready(ctx)
}

// sweep removes the containers of runs that were killed, known by their claims.
func sweep(ctx context.Context, d containers.Daemon, opt Options) error {
	orphans, err := containers.Orphans(opt.CacheDir, "redis")
	if err != nil {
		return err
	}
	for _, o := range orphans {
		ids, err := d.Ask(ctx, "ps", "-aq", "--filter", "label="+claimLabel+"="+o.Name)
		if err == nil && ids != "" {
			say(opt.Out, "redis: removing the container %s, whose run was killed\n", o.Name)
			_, err = d.Ask(ctx, append([]string{"rm", "-fv"}, strings.Fields(ids)...)...)
		}
		if err != nil {
			o.Keep()
			return fmt.Errorf("removing the container %s: %w", o.Name, err)
		}
		if err := o.Release(); err != nil {
			return fmt.Errorf("removing the container %s: %w", o.Name, err)
		}
	}
	return nil
}
