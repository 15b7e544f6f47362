// Package system says how the harness sees the service under test: something that is
// started with a Spec, answers at URLs, can be told that time has passed, and is stopped.
//
// The harness never imports the service's insides. The program that wires both together
// passes a Factory.
package system

import (
	"context"
	"time"

	"k8s.io/client-go/rest"
)

// Spec is all that an instance needs to know of its world.
type Spec struct {
	// Name is unique in the run and used as client name at Redis and in logs.
	Name string
	// Namespace is where objects go whose alert names none.
	Namespace string
	// RedisAddr is host:port, already behind the scenario's fault proxy.
	RedisAddr string
	// RedisPassword is "" when the server wants none.
	RedisPassword string
	// RedisPrefix begins every key of the instance.
	RedisPrefix string
	// Kubernetes is the API server, already behind the scenario's fault proxy.
	Kubernetes *rest.Config
	// Config overrides the service's defaults; the scenario file's `gateway:` block.
	Config map[string]any
	// LogFile receives the service's log.
	LogFile string
	// Offset is how far the scenario's clock has already been advanced.
	Offset time.Duration
}

// Instance is a running service.
type Instance interface {
	// URL is the base of the public listener, without a trailing slash.
	URL() string
	// AdminURL is the base of the private listener (metrics), without a trailing slash.
	AdminURL() string
	// Advance moves the instance's clock forward.
	Advance(d time.Duration)
	// Stop ends the instance in an orderly way and waits until it is gone.
	Stop(ctx context.Context) error
}

// Factory starts an instance and returns when it listens; it need not be ready.
type Factory func(ctx context.Context, spec Spec) (Instance, error)
