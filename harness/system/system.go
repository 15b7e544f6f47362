// Package system says how the harness sees the service under test: something that is
// started with a Spec, answers at URLs, and is stopped. What else it can do is an interface
// of its own: Advancer, Reloader, Killer, Crasher, Logger.
//
// Adapters, one file each:
//
//	in process   the program that knows both passes a Factory (harness/cmd/stormproof)
//	Program      a binary in a folder and a process group of its own, on ports of the harness
//	Pod          a Program in an image, as a Pod of the Kind cluster, with an account of its own
//	Remote       a service that somebody else runs, at a URL
//
// Balancer puts one address in front of several replicas. The harness never imports the
// service's insides.
package system

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/harness/redis"
)

// Spec is all that an instance needs to know of its world.
type Spec struct {
	// Name is unique in the run and used as client name at Redis and in logs.
	Name string
	// Replica numbers the instances of a world from 1.
	Replica int
	// Dir is a folder for this replica alone; it is the same one after a restart.
	Dir string
	// Namespace is where objects go whose alert names none.
	Namespace string
	// Namespaces are all of the scenario's, Namespace among them.
	Namespaces []string
	// Home is the namespace for what a system in the cluster consists of; what is made there
	// bears its marks. It is nil for any other system.
	Home *corev1.Namespace
	// RedisAddr is host:port, already behind the scenario's fault proxy; "" where the
	// system needs no Redis.
	RedisAddr string
	// RedisPassword is "" when the server wants none.
	RedisPassword string
	// RedisTopology says how to reach Redis where RedisAddr is "" because one address does not
	// do: sentinels, a cluster, TLS. A system that cannot use it refuses to start.
	RedisTopology *redis.Access
	// RedisPrefix begins every key of the instance.
	RedisPrefix string
	// Kubernetes is the API server, already behind the scenario's fault proxy.
	Kubernetes *rest.Config
	// Config overrides the service's defaults; the scenario file's `gateway:` block.
	Config map[string]any
	// Listen is the public address of a Program; "" is one that is free.
	Listen string
	// LogFile receives the service's log.
	LogFile string
	// Offset is how far the scenario's clock has already been advanced.
	Offset time.Duration
	// Skew is how far the instance's wall clock is ahead, beside Offset: its own error.
	Skew time.Duration
	// Frozen is where the instance's wall clock stands still; zero where it runs.
	Frozen time.Time
	// Values are further placeholders of Program, for example sink.hook.
	Values map[string]string
}

// Instance is a running service.
type Instance interface {
	// URL is the base of the public listener, without a trailing slash.
	URL() string
	// AdminURL is the base of the private listener (metrics), without a trailing slash.
	AdminURL() string
	// Stop ends the instance in an orderly way and waits until it is gone. It fails when the
	// instance had ended by itself.
	Stop(ctx context.Context) error
}

// Advancer is an Instance whose clock can be moved.
type Advancer interface {
	// Advance sets the clock to offset ahead of the wall clock, whatever it showed before.
	Advance(ctx context.Context, offset time.Duration) error
}

// Reloader is an Instance whose configuration can be edited while it runs.
type Reloader interface {
	// Reload writes overrides as Spec.Config has them, right or wrong; it waits for nothing.
	Reload(ctx context.Context, config map[string]any) error
}

// Killer is an Instance that can be ended as by a crash of its machine.
type Killer interface {
	// Kill sends SIGKILL and waits until the instance is gone. Stop does not complain of it.
	Kill()
}

// Crasher is an Instance that may have crash points: a point is armed by a file with its
// name in this folder; the program that reaches it renames the file to name.hit and kills
// itself. See fault.ArmCrash.
type Crasher interface {
	CrashDir() string
}

// Logger is an Instance whose log reaches Spec.LogFile with a delay.
type Logger interface {
	// FlushLog returns when the file holds all that the instance has said before.
	FlushLog(ctx context.Context) error
}

// Factory starts an instance and returns when it listens; it need not be ready.
type Factory func(ctx context.Context, spec Spec) (Instance, error)
