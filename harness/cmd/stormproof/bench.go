package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/system"
)

// benchNamespace is where the alerts of a load claim to come from.
const benchNamespace = "load"

// bench is one gateway in an environment of its own, to be measured.
type bench struct {
	env     *environment.Environment
	gateway system.Instance
}

// newBench brings both up; the bench is to be closed even when that fails.
func newBench(cmd *cobra.Command, c *common, dir string) (b *bench, err error) {
	ctx := cmd.Context()
	b = &bench{}
	if b.env, err = environment.Up(ctx, c.environment(cmd, dir)); err != nil {
		return b, err
	}
	description := b.env.Describe()
	config, err := description.RESTConfig()
	if err != nil {
		return b, err
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return b, fmt.Errorf("registering kinds: %w", err)
	}
	kube, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return b, fmt.Errorf("building a client: %w", err)
	}
	if err := kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: benchNamespace}}); err != nil {
		return b, fmt.Errorf("creating namespace %s: %w", benchNamespace, err)
	}
	b.gateway, err = startGateway(ctx, system.Spec{Name: "load", Namespace: benchNamespace, RedisAddr: description.Redis.Addr,
		RedisPassword: description.Redis.Password, RedisPrefix: "sp:load:", Kubernetes: config, LogFile: filepath.Join(dir, "gateway.log")})
	if err != nil {
		return b, err
	}
	return b, b.waitReady(ctx)
}

func (b *bench) waitReady(ctx context.Context) error {
	client := newHTTPClient()
	defer client.CloseIdleConnections()
	return wait.Until(ctx, "the gateway to be ready", 20*time.Second, 20*time.Millisecond, func(ctx context.Context) wait.Look {
		status, err := probe(ctx, client, b.gateway.URL()+"/readyz")
		return wait.Look{Done: status == http.StatusOK, Err: err, State: func() string { return fmt.Sprint("status ", status) }}
	})
}

// probe returns the status of a URL.
func probe(ctx context.Context, client *http.Client, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// close stops the gateway, so that its counters are written, and then what it stood on.
func (b *bench) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	var errs []error
	if b.gateway != nil {
		errs = append(errs, b.gateway.Stop(ctx))
	}
	if b.env != nil {
		errs = append(errs, b.env.Down(ctx))
	}
	return errors.Join(errs...)
}
