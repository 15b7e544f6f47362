// Package environment brings up what scenarios run on: one Kubernetes API and one Redis.
// Each part is chosen from what the machine offers, and every choice is printed with its
// reason, because a run on an embedded Redis is not worth what one on a real server is.
//
// Up starts both at once and takes everything down again when one fails. Describe turns the
// running environment into a file, with which other processes reach it (Load). Doctor says
// what a machine lacks before anything is started.
package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/report"
)

// NoRedis as Options.Redis starts none: nothing that runs here uses one.
const NoRedis = "none"

// Options for Up; the zero value takes the best that there is.
type Options struct {
	// Cluster is a kind of package cluster, Redis one of package redis; "" is auto.
	Cluster, Redis string
	// RedisTopology is one of package redis; "" is standalone.
	RedisTopology string
	// Controllers runs kube-controller-manager beside envtest; other clusters have it.
	Controllers bool
	// Kubeconfig of an existing cluster.
	Kubeconfig string
	// CacheDir is where programs are kept; "" for the user's cache folder.
	CacheDir string
	// Dir receives kubeconfig and logs.
	Dir string
	// Out receives choices and progress.
	Out io.Writer
}

// Environment is a running cluster and a running Redis.
type Environment struct {
	cluster  *cluster.Cluster
	redis    *redis.Server   // nil where there is a topology
	topology *redis.Topology // nil where there is one server
	cancel   context.CancelFunc
	took     time.Duration
}

// Error says that a part could not come up, and what to do; the CLI exits with 3.
type Error struct{ Err error }

// Error is one clear sentence with the fix, where the part knew one.
func (e *Error) Error() string { return "environment: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Unavailable wraps the failure to get a part.
func Unavailable(part string, err error) error {
	return &Error{Err: fmt.Errorf("getting %s: %w", part, err)}
}

// Up starts cluster and Redis. Both end with ctx at the latest; the error is an *Error.
func Up(ctx context.Context, o Options) (*Environment, error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	out := &locked{w: o.Out}
	begin := time.Now()
	e := &Environment{}
	var clusterErr, redisErr error
	var both sync.WaitGroup
	// Once up, they must outlive an interrupt until Down has run. Until then, an interrupt
	// ends the start, which may be compiling for minutes.
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	started := context.AfterFunc(ctx, cancel)
	e.cancel = cancel
	both.Go(func() {
		e.cluster, clusterErr = cluster.Start(live, cluster.Options{Kind: o.Cluster, Kubeconfig: o.Kubeconfig, Controllers: o.Controllers,
			CRDs: v1alpha1.CRDs, CacheDir: o.CacheDir, Dir: filepath.Join(o.Dir, "cluster"), Out: out})
		if clusterErr == nil {
			choice(out, e.cluster.Choice)
		}
	})
	if o.Redis != NoRedis {
		both.Go(func() {
			if redisErr = e.startRedis(live, o, out); redisErr == nil {
				choice(out, e.redisChoice())
			}
		})
	}
	both.Wait()
	started()
	if err := errors.Join(clusterErr, redisErr, ctx.Err()); err != nil {
		return nil, &Error{Err: errors.Join(err, e.Down(context.WithoutCancel(ctx)))}
	}
	e.took = time.Since(begin)
	fmt.Fprintf(out, "environment: up in %.1f s\n", e.took.Seconds())
	return e, nil
}

func (e *Environment) startRedis(ctx context.Context, o Options, out io.Writer) (err error) {
	dir := filepath.Join(o.Dir, "redis")
	if o.RedisTopology == "" || o.RedisTopology == redis.Standalone {
		e.redis, err = redis.Start(ctx, redis.Options{Kind: o.Redis, CacheDir: o.CacheDir, Dir: dir, Out: out})
		return err
	}
	e.topology, err = redis.StartTopology(ctx, redis.TopologyOptions{Topology: o.RedisTopology, Kind: o.Redis,
		CacheDir: o.CacheDir, Dir: dir, Out: out})
	return err
}

func (e *Environment) redisChoice() report.Choice {
	if e.topology != nil {
		return e.topology.Choice
	}
	return e.redis.Choice
}

func choice(out io.Writer, c report.Choice) {
	fmt.Fprintf(out, "environment: %-8s %-10s because %s\n", c.Part, c.Chosen, c.Reason)
}

// locked lets two starts print without mixing their lines.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

// Write passes one write on at a time.
func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// Down takes down what is up.
func (e *Environment) Down(ctx context.Context) error {
	var errs []error
	if e.redis != nil {
		errs = append(errs, e.redis.Stop(ctx))
	}
	if e.topology != nil {
		errs = append(errs, e.topology.Stop(ctx))
	}
	if e.cluster != nil {
		errs = append(errs, e.cluster.Stop(ctx))
	}
	e.redis, e.topology, e.cluster = nil, nil, nil
	e.cancel()
	return errors.Join(errs...)
}

// Description is how another process reaches an environment.
type Description struct {
	Kubeconfig string `json:"kubeconfig"`
	// Controllers says that namespaces go, garbage is collected and quotas count.
	Controllers  bool            `json:"controllers"`
	Redis        RedisAddress    `json:"redis"`
	Choices      []report.Choice `json:"choices"`
	StartedMS    int64           `json:"started_ms"`
	StartRetries int             `json:"start_retries"`
	// AuditLog is the API server's audit log, "" where it cannot be had.
	AuditLog string `json:"audit_log,omitempty"`
	// Node is that of a Kind cluster, where Pods of the system can run; nil of any other.
	Node *cluster.Node `json:"node,omitempty"`
}

// RedisAddress is the shared server or topology, and the program for servers of a scenario's
// own.
type RedisAddress struct {
	// Addr is host:port of the server; of a topology, the first address of Topology.
	Addr     string       `json:"addr"`
	Password string       `json:"password,omitempty"`
	Kind     string       `json:"kind"`
	Binary   redis.Binary `json:"binary"`
	// Image is that of a container, and DockerHost where its daemon is, "" for the default.
	Image      string `json:"image,omitempty"`
	DockerHost string `json:"docker_host,omitempty"`
	// Topology says how to reach sentinels or a cluster; nil for one server.
	Topology *redis.Access `json:"topology,omitempty"`
}

// Access is how clients reach what is shared.
func (r RedisAddress) Access() redis.Access {
	if r.Topology != nil {
		return *r.Topology
	}
	return redis.Access{Topology: redis.Standalone, Addrs: []string{r.Addr}, Password: r.Password}
}

// Describe says how to reach the environment.
func (e *Environment) Describe() Description {
	d := Description{Kubeconfig: e.cluster.KubeconfigPath, Controllers: e.cluster.Controllers, Choices: []report.Choice{e.cluster.Choice},
		StartedMS: e.took.Milliseconds(), StartRetries: e.cluster.StartRetries, AuditLog: e.cluster.AuditLog, Node: e.cluster.Node}
	if e.redis != nil || e.topology != nil {
		d.Redis = e.redisAddress()
		d.Choices = append(d.Choices, e.redisChoice())
	}
	return d
}

func (e *Environment) redisAddress() RedisAddress {
	if e.topology != nil {
		access := e.topology.Access
		return RedisAddress{Addr: access.Addrs[0], Password: access.Password, Kind: redis.Process, Binary: e.topology.Binary, Topology: &access}
	}
	a := RedisAddress{Addr: e.redis.Addr, Password: e.redis.Password, Kind: e.redis.Kind, Binary: e.redis.Binary, Image: e.redis.Image}
	if a.Kind == redis.Container {
		a.DockerHost = os.Getenv("DOCKER_HOST")
	}
	return a
}

// Write stores a description, readable by this user only.
func (d Description) Write(path string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the environment's description: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("writing the environment's description: %w", err)
	}
	return nil
}

// Load reads what Write wrote.
func Load(path string) (Description, error) {
	var d Description
	b, err := os.ReadFile(path)
	if err != nil {
		return d, fmt.Errorf("reading the environment's description: %w", err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("reading the environment's description %s: %w", path, err)
	}
	return d, nil
}

// RESTConfig is for clients of the cluster.
func (d Description) RESTConfig() (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", d.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the environment's kubeconfig: %w", err)
	}
	return c, nil
}

// StartRedis starts a server for one scenario alone: a real one, always. Where only the
// embedded server can be had, it fails with the command that installs a real one.
// args are further ones of redis-server.
func (d Description) StartRedis(ctx context.Context, dir, password string, args ...string) (*redis.Server, error) {
	if d.Redis.Kind == redis.Container {
		return redis.Start(context.WithoutCancel(ctx), redis.Options{Kind: redis.Container, Image: d.Redis.Image, DockerHost: d.Redis.DockerHost, Dir: dir, Password: password, Args: args})
	}
	if err := d.Redis.real(); err != nil {
		return nil, err
	}
	return redis.Start(context.WithoutCancel(ctx), redis.Options{Kind: redis.Process, Binary: &d.Redis.Binary, Dir: dir, Password: password, Args: args})
}

// StartTopology starts a topology for one scenario alone; Binary and Kind of the options are
// the environment's, but containers form no topology: processes do. It fails where
// StartRedis does.
func (d Description) StartTopology(ctx context.Context, o redis.TopologyOptions) (*redis.Topology, error) {
	o.Kind, o.Binary = redis.Process, &d.Redis.Binary
	if d.Redis.Kind == redis.Container {
		o.Binary = nil
	} else if err := d.Redis.real(); err != nil {
		return nil, err
	}
	return redis.StartTopology(context.WithoutCancel(ctx), o)
}

// real demands the program of a real server.
func (r RedisAddress) real() error {
	if r.Binary.Path != "" {
		return nil
	}
	return &Error{Err: &binaries.Unavailable{What: "redis", Reason: "this scenario needs a real server of its own, and the environment has only " + r.Kind,
		Fix: "apt-get install redis-server (or your system's package of Redis)"}}
}
