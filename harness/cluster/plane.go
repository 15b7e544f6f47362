package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/stormproof/stormproof/harness/internal/process"
)

// watchEvery is how soon after its start a program of the control plane is known to the
// guard: a harness that is killed within that time leaves it behind.
const watchEvery = 10 * time.Millisecond

// plane is one etcd and one API server. envtest starts them as children of this process
// and hides them, so they are found again by the folder in their arguments.
type plane struct {
	// etcd and api are the programs; envtest writes to its own copies while it starts.
	etcd, api string
	control   *envtest.ControlPlane
	config    *rest.Config
	dir       string // certificates and data, removed by stop
	ports     []*process.Port
	logs      []*os.File
	guard     *process.Guard
	detach    func() bool

	once sync.Once
	err  error
}

func newPlane(dir, programs string) (_ *plane, err error) {
	p := &plane{detach: func() bool { return true }}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	if p.dir, err = os.MkdirTemp(dir, "control-plane-"); err != nil {
		return nil, err
	}
	for _, sub := range []string{"etcd", "certs"} {
		if err := os.Mkdir(filepath.Join(p.dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	for range 3 {
		port, err := process.ReservePort()
		if err != nil {
			return nil, err
		}
		p.ports = append(p.ports, port)
	}
	for _, program := range []string{etcdProgram, apiServerProgram} {
		log, err := logFile(dir, program)
		if err != nil {
			return nil, err
		}
		p.logs = append(p.logs, log)
	}
	if p.guard, err = process.NewGuard(); err != nil {
		return nil, err
	}
	p.etcd, p.api = filepath.Join(programs, etcdProgram), filepath.Join(programs, apiServerProgram)
	audit, err := auditArgs(p.dir, auditLog(p.dir))
	if err != nil {
		return nil, err
	}
	p.control = p.configure()
	for flag, value := range audit {
		p.control.APIServer.Configure().Set(flag, value)
	}
	return p, nil
}

// configure keeps the API server as near to production as envtest allows: priority and
// fairness, caches and limits stay as they are by default. Only etcd's fsync goes, because
// nothing here has to survive a power cut.
func (p *plane) configure() *envtest.ControlPlane {
	etcd := &envtest.Etcd{
		URL:          &url.URL{Scheme: "http", Host: p.ports[0].Addr()},
		Path:         p.etcd,
		DataDir:      filepath.Join(p.dir, "etcd"),
		StartTimeout: componentTimeout, StopTimeout: componentTimeout,
		Out: p.logs[0], Err: p.logs[0],
	}
	etcd.Configure().
		Set("listen-peer-urls", "http://"+p.ports[1].Addr()).
		Set("unsafe-no-fsync", "true")
	api := &envtest.APIServer{
		Path:         p.api,
		CertDir:      filepath.Join(p.dir, "certs"),
		StartTimeout: componentTimeout, StopTimeout: componentTimeout,
		Out: p.logs[1], Err: p.logs[1],
	}
	api.ListenAddr = envtest.ListenAddr{Address: "127.0.0.1", Port: strconv.Itoa(p.ports[2].Number)}
	return &envtest.ControlPlane{Etcd: etcd, APIServer: api}
}

// start returns when the API server is healthy. When ctx ends, then or later, the programs
// are killed.
func (p *plane) start(ctx context.Context) error {
	p.detach = context.AfterFunc(ctx, func() { _ = p.kill() }) // stop reports what is left
	err := p.watched(p.control.Start)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return errors.Join(err, p.stop())
	}
	return nil
}

// watched starts programs under the eye of the guard.
func (p *plane) watched(start func() error) error {
	started := make(chan struct{})
	var watching sync.WaitGroup
	var watchErr error
	watching.Go(func() { watchErr = p.watch(started) })
	err := start()
	close(started)
	watching.Wait()
	return errors.Join(err, watchErr)
}

// watch tells the guard of every program as it appears, until started is closed.
func (p *plane) watch(started <-chan struct{}) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	known := map[int]bool{}
	for last := false; ; {
		pids, err := p.children()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			if known[pid] {
				continue
			}
			known[pid] = true
			// One that ended at once cannot be watched, and need not be.
			if err := p.guard.Watch(pid); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		if last {
			return nil
		}
		select {
		case <-started:
			last = true
		case <-tick.C:
		}
	}
}

// children are the programs of this plane that run now.
func (p *plane) children() ([]int, error) {
	etcd, err := process.Children(p.etcd, p.dir)
	if err != nil {
		return nil, err
	}
	api, err := process.Children(p.api, p.dir)
	return append(api, etcd...), err
}

// kill ends the programs at once. A graceful end of the API server waits for its watchers,
// and there is nothing here to save.
func (p *plane) kill() error {
	pids, err := p.children()
	return errors.Join(err, killAll(pids))
}

func killAll(pids []int) (err error) {
	for _, pid := range pids {
		if e := syscall.Kill(-pid, syscall.SIGKILL); !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// stop ends everything and removes what was made, the logs excepted.
func (p *plane) stop() error {
	p.once.Do(func() { p.err = p.end() })
	return p.err
}

func (p *plane) end() error {
	p.detach()
	var errs []error
	if p.control != nil {
		errs = append(errs, p.kill())
		// envtest waits for what was just killed; where it comes too late there is nothing
		// left to signal.
		if err := p.control.Stop(); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, err)
		}
	}
	if p.guard != nil {
		errs = append(errs, p.guard.Close())
	}
	for _, log := range p.logs {
		errs = append(errs, log.Close())
	}
	for _, port := range p.ports {
		port.Release()
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping the control plane: %w", err)
	}
	return nil
}
