package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

const controllersProgram = "kube-controller-manager"

// controllers that run beside the API server: with them namespaces really go, owned objects
// are collected, and quotas have a status and refuse.
var controllersWanted = []string{"namespace-controller", "garbage-collector-controller", "resourcequota-controller"}

// controllers is a running kube-controller-manager.
type controllers struct {
	proc *process.Process
	port *process.Port
	log  *os.File
}

// controllersPath is the program: beside kube-apiserver where KUBEBUILDER_ASSETS has it,
// else from the cache, where it may have to be compiled first.
func controllersPath(ctx context.Context, opt Options, programs string) (string, error) {
	if path := filepath.Join(programs, controllersProgram); binaries.Executable(path) {
		return path, nil
	}
	return binaries.ControllerManager(ctx, opt.CacheDir, opt.Out)
}

// startControllers returns when the program says that it is healthy. It ends with ctx.
func startControllers(ctx context.Context, dir, path, kubeconfig string) (*controllers, error) {
	c := &controllers{}
	if err := c.start(ctx, dir, path, kubeconfig); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", controllersProgram, err), c.stop())
	}
	return c, nil
}

func (c *controllers) start(ctx context.Context, dir, path, kubeconfig string) (err error) {
	if c.port, err = process.ReservePort(); err != nil {
		return err
	}
	if c.log, err = logFile(dir, controllersProgram); err != nil {
		return err
	}
	if c.proc, err = process.Start(ctx, process.Spec{Path: path, Args: controllersArgs(kubeconfig, c.port.Number), Dir: dir, Log: c.log}); err != nil {
		return err
	}
	return c.ready(ctx)
}

func controllersArgs(kubeconfig string, port int) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--controllers=" + strings.Join(controllersWanted, ","),
		// One instance needs no election, which would cost seconds.
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(port),
	}
}

// ready polls its health, which it tells without credentials.
func (c *controllers) ready(ctx context.Context) error {
	// Its certificate is made when it starts, and known to nobody.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true} //nolint:gosec // loopback, health only
	cl := &http.Client{Transport: transport, Timeout: time.Second}
	return wait.Until(ctx, "its /healthz answers 200 (its log is "+c.log.Name()+")", componentTimeout, 20*time.Millisecond,
		func(ctx context.Context) wait.Look {
			select {
			case <-c.proc.Done():
				return wait.Look{Hopeless: fmt.Errorf("it ended at once: %w", c.proc.Err())}
			default:
				err := healthy(ctx, cl, "https://"+c.port.Addr()+"/healthz")
				return wait.Look{Done: err == nil, Err: err}
			}
		})
}

func healthy(ctx context.Context, cl *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := cl.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1000))
	if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return err
}

// stop ends the program, before its API server goes. One that had ended by itself is an
// error: what ran since then ran without controllers.
func (c *controllers) stop() error {
	var errs []error
	if c.proc != nil {
		select {
		case <-c.proc.Done():
			errs = append(errs, fmt.Errorf("%s ended by itself: %w; read %s", controllersProgram, c.proc.Err(), c.log.Name()))
		default:
			c.proc.Kill() // it keeps nothing that could be lost
		}
	}
	if c.log != nil {
		errs = append(errs, c.log.Close())
	}
	if c.port != nil {
		c.port.Release()
	}
	return errors.Join(errs...)
}
