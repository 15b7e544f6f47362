package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/report"
)

// startTries is how often a control plane is tried. A retry is reported: hidden ones, as
// envtest's own, hide a machine that makes scenarios flaky.
const startTries = 3

func startEnvtest(ctx context.Context, opt Options, crds []*apiextensionsv1.CustomResourceDefinition) (*Cluster, error) {
	found, err := newAssets(opt).find(ctx, func(m binaries.Miss) {
		say(opt.Out, "cluster: passing over %s\n", m)
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &ErrUnavailable{What: "cluster", Reason: "kube-apiserver and etcd cannot be had", Err: err,
			Fix: "set " + assetsVariable + " to a folder with kube-apiserver and etcd"}
	}
	var program string
	if opt.Controllers { // before the rest: it may have to be compiled
		if program, err = controllersPath(ctx, opt, found.Got); err != nil {
			return nil, err
		}
	}
	p, retries, err := startPlane(ctx, opt, found.Got)
	if err != nil {
		return nil, err
	}
	path := kubeconfigPath(opt.Dir)
	first := crds
	if opt.Bare {
		first = nil
	}
	if err := p.finish(ctx, path, first); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the control plane: %w", err), p.stop())
	}
	stop := func(context.Context) error { return errors.Join(p.stop(), os.RemoveAll(path)) }
	chosen := "envtest (" + found.Rung + ")"
	if opt.Controllers {
		c, err := startControllers(ctx, opt.Dir, program, path)
		if err != nil {
			return nil, errors.Join(err, stop(ctx))
		}
		chosen += " with " + controllersProgram
		alone := stop
		stop = func(ctx context.Context) error { return errors.Join(c.stop(), alone(ctx)) }
	}
	return &Cluster{Config: p.config, Controllers: opt.Controllers, KubeconfigPath: path, Kind: Envtest, StartRetries: retries, plane: p, crds: crds, stop: stop, AuditLog: auditLog(p.dir),
		Choice: report.Choice{Part: "cluster", Chosen: chosen, Reason: found.Why()}}, nil
}

// startPlane tries until a control plane holds, and counts the tries that did not.
func startPlane(ctx context.Context, opt Options, programs string) (*plane, int, error) {
	var last error
	for retries := range startTries {
		p, err := newPlane(opt.Dir, programs)
		if err == nil {
			err = p.start(ctx)
		}
		if err == nil {
			return p, retries, nil
		}
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		say(opt.Out, "cluster: try %d of %d to start the control plane failed: %s\n", retries+1, startTries, err)
		last = err
	}
	return nil, 0, &ErrUnavailable{What: "cluster", Reason: fmt.Sprintf("the control plane did not start in %d tries", startTries),
		Fix: "read etcd.log and kube-apiserver.log in " + opt.Dir + " (--dir keeps them)", Err: last}
}

// finish waits for what a new API server makes by itself, and installs what we need.
func (p *plane) finish(ctx context.Context, path string, crds []*apiextensionsv1.CustomResourceDefinition) error {
	user, err := p.control.AddUser(envtest.User{Name: "stormproof", Groups: []string{"system:masters"}}, &rest.Config{})
	if err != nil {
		return fmt.Errorf("making an administrator: %w", err)
	}
	p.config = user.Config()
	text, err := user.KubeConfig()
	if err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	cl, err := newClient(p.config)
	if err != nil {
		return err
	}
	if err := waitForDefaultNamespace(ctx, cl); err != nil {
		return err
	}
	_, err = install(ctx, cl, crds)
	return err
}

// logFile is where a program's output goes; tries of one start share it.
func logFile(dir, program string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, program+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// componentTimeout is what etcd and the API server each get to become healthy.
const componentTimeout = 30 * time.Second
