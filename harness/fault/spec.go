package fault

import (
	"context"
	"time"
)

// The targets.
const (
	Redis      = "redis"
	Kubernetes = "kubernetes"
)

// The kinds of faults. Latency, Hang and ReplyLost exist for both targets.
const (
	// Latency delays a request by Delay.
	Latency = "latency"
	// Hang takes a request and never answers: a half-open connection.
	Hang = "hang"
	// ReplyLost lets the server do the work, then closes the connection without the reply.
	ReplyLost = "reply-lost"
	// Cut resets connections, open ones and new ones: a partition.
	Cut = "cut"
	// Bandwidth limits Redis connections to BytesPerSecond in each direction.
	Bandwidth = "bandwidth"
	// Status answers Code in the API server's place.
	Status = "status"
	// Reset closes the connection before the API server sees the request.
	Reset = "reset"
	// SlowBody limits the API server's answers to BytesPerSecond.
	SlowBody = "slow-body"
	// WatchDrop ends watches: those that are open, and new ones when their answer begins.
	WatchDrop = "watch-drop"
	// OOM makes the Redis server refuse writes for want of memory.
	OOM = "oom"
	// Evict makes the Redis server evict every key that has a TTL.
	Evict = "evict"
	// ReadOnly makes the Redis server a replica that refuses writes.
	ReadOnly = "readonly"
	// Loading makes the Redis server load its data again, slowly.
	Loading = "loading"
	// NoScript makes the Redis server forget its scripts before requests.
	NoScript = "noscript"
	// Connections makes the Redis server refuse new connections.
	Connections = "connections"
	// Flush makes the Redis server forget its keys before requests.
	Flush = "flush"
	// Forbidden has requests made as a user who may do nothing.
	Forbidden = "forbidden"
	// Throttle has requests made as a user for whom the API server keeps one seat.
	Throttle = "throttle"
)

// CoreGroup stands for the API group without a name: pods, namespaces, events.
const CoreGroup = "core"

// Spec describes a fault; it is also what a scenario's `fault:` step decodes into.
type Spec struct {
	// ID names the fault in receipts; it is the caller's to keep unique.
	ID string `yaml:"id" json:"id"`
	// Target is Redis or Kubernetes.
	Target string `yaml:"target" json:"target"`
	// Kind is one of Kinds(Target).
	Kind string `yaml:"kind" json:"kind"`
	// Times is how many matches are hit; 0 means until removed.
	Times int64 `yaml:"times,omitempty" json:"times,omitempty"`
	// After is how many matches pass before the first hit.
	After int64 `yaml:"after,omitempty" json:"after,omitempty"`
	// Replica limits the fault to one replica's way to the target, from 1; 0 is all.
	Replica int `yaml:"replica,omitempty" json:"replica,omitempty"`
	// Match narrows the fault; an empty field matches everything.
	Match Match `yaml:"match,omitempty" json:"match,omitempty"`
	// Delay is for Latency.
	Delay time.Duration `yaml:"delay,omitempty" json:"delay,omitempty"`
	// Code is the HTTP status of Status, 400 to 599.
	Code int `yaml:"code,omitempty" json:"code,omitempty"`
	// RetryAfter is sent with Status, in seconds; 0 sends none.
	RetryAfter int `yaml:"retryAfter,omitempty" json:"retryAfter,omitempty"`
	// Reason replaces the reason that Kubernetes gives with Code.
	Reason string `yaml:"reason,omitempty" json:"reason,omitempty"`
	// BytesPerSecond is for Bandwidth (at least 1000) and SlowBody.
	BytesPerSecond int64 `yaml:"bytesPerSecond,omitempty" json:"bytesPerSecond,omitempty"`
}

// Match says what a fault is aimed at. Command is for Redis, the rest for Kubernetes.
type Match struct {
	// Command is a Redis command in any case, for example EVALSHA.
	Command string `yaml:"command,omitempty" json:"command,omitempty"`
	// Verb is get, list, watch, create, update, patch or delete.
	Verb string `yaml:"verb,omitempty" json:"verb,omitempty"`
	// Group is an API group; the core group, which has no name, is CoreGroup.
	Group string `yaml:"group,omitempty" json:"group,omitempty"`
	// Resource is the plural, for example remediationrequests.
	Resource string `yaml:"resource,omitempty" json:"resource,omitempty"`
	// Subresource is for example status; empty matches requests with and without one.
	Subresource string `yaml:"subresource,omitempty" json:"subresource,omitempty"`
	Namespace   string `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	// Name is the object's name as the URL says it; a create carries none there.
	Name string `yaml:"name,omitempty" json:"name,omitempty"`
}

// Receipt says what a fault did.
type Receipt struct {
	ID     string
	Target string
	Kind   string
	// Planned is Spec.Times; 0 is unlimited.
	Planned int64
	// Matched counts what the fault could have hit, Applied what it did hit.
	Matched int64
	Applied int64
}

// Handle is an armed fault.
type Handle interface {
	// Receipt is the count so far; it is final once Remove has returned.
	Receipt() Receipt
	// Remove undoes the fault. A second call does nothing.
	Remove(ctx context.Context) error
}
