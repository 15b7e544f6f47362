// Package config is the gateway's whole configuration: one typed value, its defaults, and
// the checks that make a bad file fail at start with the line, the field and the fix,
// instead of failing later with a lost alert.
//
// Start with Load. Every key has a default, so an empty file is a working configuration.
// Unknown keys are refused, with the nearest name that exists.
package config

import (
	"time"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/policy"
)

// Config is everything that can be configured.
type Config struct {
	Listen     Listen        `yaml:"listen"`
	Kubernetes Kubernetes    `yaml:"kubernetes"`
	Redis      Redis         `yaml:"redis"`
	Dedup      Dedup         `yaml:"dedup"`
	Storm      Storm         `yaml:"storm"`
	Limits     Limits        `yaml:"limits"`
	Policy     policy.Config `yaml:"policy"`
	Log        Log           `yaml:"log"`
	Auth       Auth          `yaml:"auth"`
	Telemetry  Telemetry     `yaml:"telemetry"`
	// Shadow, if given, is tried beside the rest: what would become of each alert is counted,
	// nothing is made of it. What it leaves out is as above.
	Shadow *Rules `yaml:"shadow,omitempty"`
}

// Rules are the part of a configuration that decides.
type Rules struct {
	Dedup  Dedup         `yaml:"dedup"`
	Storm  Storm         `yaml:"storm"`
	Policy policy.Config `yaml:"policy"`
}

// With is the configuration with other rules.
func (c Config) With(r Rules) Config {
	c.Dedup, c.Storm, c.Policy, c.Shadow = r.Dedup, r.Storm, r.Policy, nil
	return c
}

// Listen holds the addresses, host:port; port 0 picks a free one.
type Listen struct {
	// Public takes alerts and probes.
	Public string `yaml:"public"`
	// Admin serves metrics and probes; keep it inside.
	Admin string `yaml:"admin"`
	// Grace bounds how long requests in flight are waited for at a stop.
	Grace time.Duration `yaml:"grace"`
	// TrustedProxies are the networks, such as 10.0.0.0/8, whose X-Forwarded-For is believed.
	TrustedProxies []string `yaml:"trustedProxies"`
	TLS            TLS      `yaml:"tls"`
}

// Kubernetes says where objects go and how patient calls are.
type Kubernetes struct {
	// Namespace receives alerts without a usable label "namespace".
	Namespace string `yaml:"namespace"`
	// FallbackNamespace receives alerts whose namespace is missing or being deleted;
	// "" refuses them with an answer of their own.
	FallbackNamespace string `yaml:"fallbackNamespace"`
	// Timeout bounds one call; a request may make several.
	Timeout time.Duration `yaml:"timeout"`
	// QPS and Burst are the client's own rate limit.
	QPS   float32 `yaml:"qps"`
	Burst int     `yaml:"burst"`
	// FlushInterval is the least time between two status writes of one object.
	FlushInterval time.Duration `yaml:"flushInterval"`
	// Namespaces are those whose objects the reconciler watches; empty are all.
	Namespaces     []string       `yaml:"namespaces"`
	LeaderElection LeaderElection `yaml:"leaderElection"`
}

// LeaderElection says which replica reconciles: the one that holds a Lease in the namespace
// of kubernetes.namespace. Alerts are taken by every replica, leader or not.
type LeaderElection struct {
	// Enabled is false where there is one replica only; then it always reconciles.
	Enabled bool `yaml:"enabled"`
	// LeaseDuration is how long after its death a leader is replaced.
	LeaseDuration time.Duration `yaml:"leaseDuration"`
}

// OnFailure says what happens to alerts while Redis cannot be reached.
type OnFailure string

// The reactions to a Redis that cannot be reached.
const (
	// Reject answers 503: the sender keeps the alert and sends it again.
	Reject OnFailure = "reject"
	// Degrade decides by Kubernetes alone: slower, and each storm group has a ledger there.
	Degrade OnFailure = "degrade"
)

// Redis is the server that holds the windows, or several: see Sentinel and Cluster.
type Redis struct {
	// Addr is host:port of the one server.
	Addr     string   `yaml:"addr"`
	Sentinel Sentinel `yaml:"sentinel"`
	Cluster  Cluster  `yaml:"cluster"`
	// Username is of an ACL user; "" is the default user.
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	// PasswordFile wins over Password. It is read again for each new connection, so that a
	// password can be changed without a restart.
	PasswordFile string   `yaml:"passwordFile"`
	TLS          RedisTLS `yaml:"tls"`
	DB           int      `yaml:"db"`
	// Prefix begins every key. It may not hold the characters {}*?[]\ because they have
	// a meaning in key patterns and in Redis Cluster.
	Prefix string `yaml:"prefix"`
	// Timeout bounds the dial, each read and each write.
	Timeout time.Duration `yaml:"timeout"`
	// PoolSize is the number of connections to one server.
	PoolSize int `yaml:"poolSize"`
	// ClientName shows in CLIENT LIST.
	ClientName string    `yaml:"clientName"`
	OnFailure  OnFailure `yaml:"onFailure"`
}

// Dedup says when two alerts are the same incident.
type Dedup struct {
	// Window is how long an incident stays open after it was last seen.
	Window time.Duration `yaml:"window"`
	// HoldWhileActive keeps it open past the window until its phase is terminal.
	HoldWhileActive bool `yaml:"holdWhileActive"`
	// IgnoredLabels never take part in an alert's identity.
	IgnoredLabels []string `yaml:"ignoredLabels"`
	// Identity is "labels" (all but the ignored) or "target" (alert name and target).
	Identity alert.Mode `yaml:"identity"`
	// Previous, if given, is the rule of identity before this one: an incident that is open
	// under it goes on under its former fingerprint. A reload that changes the rule remembers
	// the former one by itself; write it here where the gateway is started anew.
	Previous *Identity `yaml:"previous,omitempty"`
}

// Identity is a rule of identity, as in Dedup; what is left out is empty, not the default.
type Identity struct {
	Identity      alert.Mode `yaml:"identity"`
	IgnoredLabels []string   `yaml:"ignoredLabels"`
}

// Storm lists the rules; the first that fits an alert wins.
type Storm struct {
	Rules []StormRule `yaml:"rules"`
}

// StormRule bounds how many objects one group of alerts may make.
type StormRule struct {
	Name string   `yaml:"name"`
	By   []string `yaml:"by"`
	// Threshold is the number of distinct alerts in a window that makes a storm.
	Threshold int `yaml:"threshold"`
	// Window is also the quiet time after which a storm closes.
	Window time.Duration `yaml:"window"`
}

// Log says how much is logged, as JSON lines.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level"`
}

// Defaults is the configuration of an empty file.
func Defaults() Config {
	return Config{
		Listen: Listen{Public: ":8080", Admin: ":9090", Grace: 20 * time.Second, TrustedProxies: []string{},
			TLS: TLS{ClientAuth: Optional, MinVersion: "1.2"}},
		Kubernetes: Kubernetes{
			Namespace: "default", Timeout: 4 * time.Second, QPS: 200, Burst: 400,
			FlushInterval: time.Second, Namespaces: []string{}, LeaderElection: LeaderElection{Enabled: true, LeaseDuration: 15 * time.Second},
		},
		Redis: Redis{
			Addr: "localhost:6379", Sentinel: Sentinel{Addrs: []string{}}, Cluster: Cluster{Addrs: []string{}},
			Prefix: "sp:", Timeout: time.Second, PoolSize: 32,
			ClientName: "stormproof-gateway", OnFailure: Reject,
		},
		Dedup: Dedup{
			Window: 5 * time.Minute, HoldWhileActive: true, Identity: alert.ByLabels,
			IgnoredLabels: []string{
				"severity", "replica", "prometheus", "prometheus_replica", "monitor", "receive_replica",
				"endpoint", "instance_id",
			},
		},
		Storm: Storm{Rules: []StormRule{{
			Name: "default", By: []string{"alertname", "namespace"}, Threshold: 10, Window: time.Minute,
		}}},
		Limits: defaultLimits(),
		Policy: policy.Default(),
		Log:    Log{Level: "info"},
		Auth:   defaultAuth(),

		Telemetry: Telemetry{Traces: Traces{SampleRatio: 1}},
	}
}

// AlertRules are the storm rules as package alert knows them.
func (s Storm) AlertRules() []alert.Rule {
	out := make([]alert.Rule, len(s.Rules))
	for i, r := range s.Rules {
		out[i] = alert.Rule{Name: r.Name, By: r.By}
	}
	return out
}

// AlertIdentity is the rule of fingerprints as package alert knows it.
func (d Dedup) AlertIdentity() alert.Identity {
	return alert.Identity{Mode: d.Identity, Ignored: d.IgnoredLabels}
}

// AlertIdentity is the rule as package alert knows it.
func (i Identity) AlertIdentity() alert.Identity {
	return alert.Identity{Mode: i.Identity, Ignored: i.IgnoredLabels}
}
