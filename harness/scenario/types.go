package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
	"github.com/stormproof/stormproof/harness/internal/nearest"
)

// Categories are the folders of the catalogue, in its order, each with its id prefix.
var Categories = []Category{
	{"storm", "STO"}, {"deduplication", "DED"}, {"redis-resilience", "RED"},
	{"kubernetes-api", "K8S"}, {"crd", "CRD"}, {"error-handling", "ERR"},
	{"security", "SEC"}, {"concurrency", "CON"}, {"observability", "OBS"},
}

// Category is a part of the catalogue.
type Category struct{ Name, Prefix string }

// Scenario is one file of the catalogue.
type Scenario struct {
	ID       string   `yaml:"id" json:"id" jsonschema:"pattern=^[A-Z][A-Z0-9]{1\\,7}-[0-9]{2\\,3}$" jsonschema_description:"Catalogue row: unique, stable for ever, for example STO-03."`
	Title    string   `yaml:"title" json:"title" jsonschema:"minLength=5" jsonschema_description:"One line that says what must hold."`
	Category string   `yaml:"category" json:"category" jsonschema:"pattern=^[a-z][a-z0-9-]*$" jsonschema_description:"What kind of scenario it is. The gateway's own are storm, deduplication, redis-resilience, kubernetes-api, crd, error-handling, security, concurrency, observability; a system of one's own has its own."`
	Promises []string `yaml:"promises,omitempty" json:"promises,omitempty" jsonschema:"minItems=1" jsonschema_description:"Promises that this scenario aims at. All promises are judged anyway."`
	Kills    []string `yaml:"kills,omitempty" json:"kills,omitempty" jsonschema_description:"Seeded bugs (folders of fixtures/mutants) that must turn this scenario red."`
	Rounds   int      `yaml:"rounds,omitempty" json:"rounds,omitempty" jsonschema:"minimum=1,maximum=50" jsonschema_description:"Run the steps this often, each round in a fresh world with its own seed. Default 1."`
	Serial   bool     `yaml:"serial,omitempty" json:"serial,omitempty" jsonschema_description:"Run when the others are done, with nothing beside it: for a scenario that fills the machine, or measures what a full machine spoils."`
	Needs    Needs    `yaml:"needs,omitempty" json:"needs,omitempty" jsonschema_description:"What the world must offer. An unmet need is an environment error, never a skip."`
	// System is nil for the gateway, which the program wires in.
	System *System  `yaml:"system,omitempty" json:"system,omitempty" jsonschema_description:"A service of one's own in place of the gateway; or the path of a file that describes it, relative to this one."`
	Sinks  []string `yaml:"sinks,omitempty" json:"sinks,omitempty" jsonschema_description:"Recording HTTP servers of the harness: {{sink.NAME}} is the URL, received.NAME the requests."`
	// Gateway overrides keys of the system's configuration.
	Gateway map[string]any `yaml:"gateway,omitempty" json:"gateway,omitempty" jsonschema_description:"Overrides of the gateway's configuration, in its own keys."`
	// Files are written before the system starts.
	Files   map[string]string `yaml:"files,omitempty" json:"files,omitempty" jsonschema_description:"Files for the gateway's configuration: {{file.NAME}} is the path. In the text {{bcrypt.NAME}} is a bcrypt hash of {{secret.NAME}}, and {{base64.NAME}} its base64."`
	Timeout Duration          `yaml:"timeout,omitempty" json:"timeout,omitempty" jsonschema_description:"Bound on one round, set-up and clean-up included. Default 60s."`
	Steps   []Step            `yaml:"steps" json:"steps" jsonschema:"minItems=1" jsonschema_description:"What happens, in order."`

	// Params and Cases are filled in when the file is loaded; nothing reads them later.
	Params map[string]any   `yaml:"params,omitempty" json:"params,omitempty" jsonschema_description:"Values by name: {{n}} stands for the value of n anywhere in the file. A text that is nothing else takes the value with its type."`
	Cases  []map[string]any `yaml:"cases,omitempty" json:"cases,omitempty" jsonschema:"minItems=1" jsonschema_description:"A table: each row has a name and overrides params. Every case runs in a fresh world of its own; the report counts the scenario once."`

	// File is where the scenario was loaded from, Sources are all the files that it is made from.
	File    string   `yaml:"-" json:"-"`
	Sources []string `yaml:"-" json:"-"`
	// Case is the name of the row that filled it in, "" without cases.
	Case string `yaml:"-" json:"-"`

	variants []*Scenario
	places   *places
	unused   Problems
}

// Variants are the scenario once for each of its cases, or itself where it has none.
func (s *Scenario) Variants() []*Scenario {
	if len(s.variants) == 0 {
		return []*Scenario{s}
	}
	return s.variants
}

// Only is the scenario with one of its cases alone.
func (s *Scenario) Only(name string) (*Scenario, error) {
	var names []string
	for _, v := range s.variants {
		if v.Case == name {
			only := *v
			only.Sources, only.unused = s.Sources, s.unused
			return &only, nil
		}
		names = append(names, v.Case)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no cases, so none called %q: leave --case out", s.ID, name)
	}
	return nil, fmt.Errorf("%s has no case %q: %s", s.ID, name, nearest.Hint(name, names))
}

// Flatten lists the variants of scenarios: what is really run.
func Flatten(list []*Scenario) []*Scenario {
	var out []*Scenario
	for _, s := range list {
		out = append(out, s.Variants()...)
	}
	return out
}

// Walk visits steps and the steps inside of them, in the order of the file.
func Walk(steps []Step, visit func(*Step)) {
	for i := range steps {
		visit(&steps[i])
		Walk(steps[i].Concurrently, visit)
		Walk(steps[i].Sequence, visit)
	}
}

// Needs says what a scenario cannot do without.
type Needs struct {
	Redis       string   `yaml:"redis,omitempty" json:"redis,omitempty" jsonschema:"enum=shared,enum=own" jsonschema_description:"own: a real Redis server for this scenario alone. Default shared: the run's server, under an own prefix."`
	Topology    string   `yaml:"topology,omitempty" json:"topology,omitempty" jsonschema:"enum=standalone,enum=sentinel,enum=cluster" jsonschema_description:"Servers of the scenario's own Redis: one; a master with two replicas and three sentinels; or a cluster of three masters, each with a replica. Needs redis: own. Default standalone."`
	TLS         bool     `yaml:"tls,omitempty" json:"tls,omitempty" jsonschema_description:"The scenario's own Redis speaks TLS only, under an authority made for it. Needs redis: own."`
	Password    bool     `yaml:"password,omitempty" json:"password,omitempty" jsonschema_description:"The scenario's own Redis demands a password. Needs redis: own."`
	AOF         bool     `yaml:"aof,omitempty" json:"aof,omitempty" jsonschema_description:"The scenario's own Redis writes each change to an append-only file before it answers, so that a server that was killed starts with all that it had acknowledged. Needs redis: own, one server."`
	APIServer   string   `yaml:"apiServer,omitempty" json:"apiServer,omitempty" jsonschema:"enum=shared,enum=own" jsonschema_description:"own: an API server and etcd for this scenario alone, without controllers, whatever the cluster of the run is; they are up in some seconds. Default shared: the run's cluster."`
	NoCRDs      bool     `yaml:"noCRDs,omitempty" json:"noCRDs,omitempty" jsonschema_description:"The scenario's own API server does not know the gateway's kinds until the step apiServer: install. Needs apiServer: own; write unready: true as well, for the gateway cannot be ready."`
	Controllers bool     `yaml:"controllers,omitempty" json:"controllers,omitempty" jsonschema_description:"The cluster's own controllers must run: deleted namespaces go, owned objects are collected, quotas count and refuse. In envtest, kube-controller-manager is started for the whole run."`
	Namespaces  int      `yaml:"namespaces,omitempty" json:"namespaces,omitempty" jsonschema:"minimum=1,maximum=5" jsonschema_description:"How many namespaces: {{ns}}, {{ns2}}, ... Default 1."`
	Replicas    int      `yaml:"replicas,omitempty" json:"replicas,omitempty" jsonschema:"minimum=1,maximum=3" jsonschema_description:"How many gateways share Redis and Kubernetes; requests go to them in turn. Default 1."`
	Skew        Duration `yaml:"skew,omitempty" json:"skew,omitempty" jsonschema_description:"How far the wall clock of each replica is ahead of the one before, as on machines whose clocks were set by hand. Needs replicas, and the gateway in process."`
	Clock       string   `yaml:"clock,omitempty" json:"clock,omitempty" jsonschema:"enum=running,enum=frozen" jsonschema_description:"frozen: time stands still for gateway and windows alike, and only advance moves it, to the millisecond. Needs the gateway in process. Default running."`
	// Account gives the gateway the rights of its manifest alone.
	Account bool `yaml:"account,omitempty" json:"account,omitempty" jsonschema_description:"The gateway acts as a user of its own, who has the rights of its manifest and no other, and the audit log is read. Default: as an administrator; in a Pod it always has an account."`
	// HTTPS has certificates made for the gateway and for senders.
	HTTPS bool `yaml:"https,omitempty" json:"https,omitempty" jsonschema_description:"Senders speak TLS. Certificates are made for it: {{file.tls-cert}} and {{file.tls-key}} for the gateway's listen.tls, {{file.clients-ca}} is the authority of client certificates."`
	// System chooses the adapter; see package system.
	System string `yaml:"system,omitempty" json:"system,omitempty" jsonschema:"enum=process,enum=binary,enum=cluster" jsonschema_description:"How the gateway must run: process, inside the harness; binary, as a program of its own, which crash needs; or cluster, as Pods, which needs a Kind cluster. Kill needs one of the last two. Default: as the command line says."`
	// Unready starts the gateway and does not wait for it.
	Unready bool `yaml:"unready,omitempty" json:"unready,omitempty" jsonschema_description:"Do not wait until a gateway that was started is ready: the scenario wants to see that it is not."`
	// RedisDown starts the gateway while its Redis refuses connections.
	RedisDown bool `yaml:"redisDown,omitempty" json:"redisDown,omitempty" jsonschema_description:"Start the gateway while Redis refuses connections, until the step 'heal: redis-down'."`
}

// FrozenClock is the value of Needs.Clock for one that only the step advance moves.
const FrozenClock = "frozen"

// Step is one action or one check; exactly one field is set.
type Step struct {
	Send         *Send             `yaml:"send,omitempty" json:"send,omitempty"`
	Storm        *Storm            `yaml:"storm,omitempty" json:"storm,omitempty"`
	Load         *LoadStep         `yaml:"load,omitempty" json:"load,omitempty"`
	Advance      *Duration         `yaml:"advance,omitempty" json:"advance,omitempty" jsonschema_description:"Move the clock of every gateway forward, for example 4m59s999ms; nothing sleeps."`
	Fault        *Fault            `yaml:"fault,omitempty" json:"fault,omitempty"`
	Heal         *string           `yaml:"heal,omitempty" json:"heal,omitempty" jsonschema_description:"Remove a fault, by its id."`
	Eventually   *Wait             `yaml:"eventually,omitempty" json:"eventually,omitempty"`
	Consistently *Hold             `yaml:"consistently,omitempty" json:"consistently,omitempty"`
	Expect       *Check            `yaml:"expect,omitempty" json:"expect,omitempty"`
	Phase        *Phase            `yaml:"phase,omitempty" json:"phase,omitempty"`
	Delete       *Select           `yaml:"delete,omitempty" json:"delete,omitempty"`
	Apply        *string           `yaml:"apply,omitempty" json:"apply,omitempty" jsonschema_description:"Create what a Kubernetes manifest says, as a user would; for a RoleBinding, wait until the API server acts on it. A status that it has is written as well. What belongs to no namespace has a name that begins with {{ns}}, and goes at the end."`
	Refused      *Refused          `yaml:"refused,omitempty" json:"refused,omitempty"`
	Withdraw     *string           `yaml:"withdraw,omitempty" json:"withdraw,omitempty" jsonschema_description:"Delete what a Kubernetes manifest names, finalizers or not, and do not wait until it is gone."`
	Redis        *RedisCommand     `yaml:"redis,omitempty" json:"redis,omitempty"`
	APIServer    *string           `yaml:"apiServer,omitempty" json:"apiServer,omitempty" jsonschema:"enum=stop,enum=start,enum=install,enum=store-v1alpha2" jsonschema_description:"Do something to the scenario's own API server: stop kills it, start starts it again on what etcd holds; install installs the gateway's CRDs; store-v1alpha2 serves its kinds as v1alpha2, too, and stores what is written from then on as that. It needs: {apiServer: own}."`
	Restart      *Restart          `yaml:"restart,omitempty" json:"restart,omitempty"`
	Reload       *Reload           `yaml:"reload,omitempty" json:"reload,omitempty"`
	Crash        *Crash            `yaml:"crash,omitempty" json:"crash,omitempty"`
	Kill         *Replica          `yaml:"kill,omitempty" json:"kill,omitempty" jsonschema_description:"SIGKILL for a replica; restart starts it again. It needs: {system: binary} or {system: cluster}."`
	Terminate    *Replica          `yaml:"terminate,omitempty" json:"terminate,omitempty" jsonschema_description:"Stop a replica in an orderly way (SIGTERM) and wait until it is gone."`
	Write        map[string]string `yaml:"write,omitempty" json:"write,omitempty" jsonschema:"minProperties=1" jsonschema_description:"Write files anew while the gateways run: their names under files to their text."`
	Renew        *string           `yaml:"renew,omitempty" json:"renew,omitempty" jsonschema:"enum=server,enum=clients" jsonschema_description:"Write certificates anew while the gateway runs: its own (server), or the authority of client certificates (clients). Every later request makes a new connection."`
	Revoke       *string           `yaml:"revoke,omitempty" json:"revoke,omitempty" jsonschema_description:"Delete a service account in {{ns}}, and wait until the API server itself refuses its tokens, which takes it up to 10 s."`
	Use          *Use              `yaml:"use,omitempty" json:"use,omitempty" jsonschema_description:"Put the steps of a fragment here."`
	Sequence     []Step            `yaml:"sequence,omitempty" json:"sequence,omitempty" jsonschema:"minItems=1" jsonschema_description:"Steps one after the other, as one branch of concurrently."`
	Concurrently []Step            `yaml:"concurrently,omitempty" json:"concurrently,omitempty" jsonschema:"minItems=2" jsonschema_description:"Steps that run at the same time, nested as deep as you like; the next step waits for all. One that fails stops no other, and every failure is told."`
	Alertmanager *Alertmanager     `yaml:"alertmanager,omitempty" json:"alertmanager,omitempty"`
}

// Use names a fragment. No loaded scenario has one: the fragment's steps are in its place.
type Use struct {
	Fragment string         `yaml:"fragment" json:"fragment" jsonschema_description:"Path of the fragment, relative to this file."`
	With     map[string]any `yaml:"with,omitempty" json:"with,omitempty" jsonschema_description:"Values of the fragment's parameters. Ids inside are not renamed: a fragment that is used twice makes them from a parameter."`
}

// Alert is a template of one or more alerts.
type Alert struct {
	Labels      map[string]string `yaml:"labels,omitempty" json:"labels,omitempty" jsonschema_description:"Labels; {{i}} is the number of the alert from 1, {{ns}} the namespace. The label namespace is added when absent; set it to an empty string to send none."`
	Annotations map[string]string `yaml:"annotations,omitempty" json:"annotations,omitempty"`
	Count       int               `yaml:"count,omitempty" json:"count,omitempty" jsonschema:"minimum=1,maximum=50000" jsonschema_description:"How many alerts to make from this template. Default 1."`
	Status      string            `yaml:"status,omitempty" json:"status,omitempty" jsonschema:"enum=firing,enum=resolved" jsonschema_description:"Whether it fires or is over. Default firing."`
	Episode     int               `yaml:"episode,omitempty" json:"episode,omitempty" jsonschema:"minimum=0" jsonschema_description:"Firing episode: startsAt is the scenario's start plus this many seconds. Same number, same startsAt. Default 0."`
	Episodes    int               `yaml:"episodes,omitempty" json:"episodes,omitempty" jsonschema:"minimum=1" jsonschema_description:"Make one copy for each of this many episodes, counted from 'episode'. Default 1."`
	Generator   string            `yaml:"generatorURL,omitempty" json:"generatorURL,omitempty"`
	Malformed   bool              `yaml:"malformed,omitempty" json:"malformed,omitempty" jsonschema_description:"The contract must refuse this alert: the judge expects the verdict 'invalid'."`
}

// Send posts one webhook, or the same webhook several times.
type Send struct {
	ID            string            `yaml:"id" json:"id" jsonschema_description:"Name for answers[id] in expressions."`
	Alerts        []Alert           `yaml:"alerts,omitempty" json:"alerts,omitempty"`
	CommonLabels  map[string]string `yaml:"commonLabels,omitempty" json:"commonLabels,omitempty"`
	CommonAnnot   map[string]string `yaml:"commonAnnotations,omitempty" json:"commonAnnotations,omitempty"`
	Batch         int               `yaml:"batch,omitempty" json:"batch,omitempty" jsonschema:"minimum=1" jsonschema_description:"Alerts per request. Default: all in one."`
	Times         int               `yaml:"times,omitempty" json:"times,omitempty" jsonschema:"minimum=1,maximum=10000" jsonschema_description:"Send each request this often. Default 1."`
	Connections   int               `yaml:"connections,omitempty" json:"connections,omitempty" jsonschema:"minimum=1,maximum=256" jsonschema_description:"How many requests at once. Default 1: one after the other."`
	Retry         bool              `yaml:"retry,omitempty" json:"retry,omitempty" jsonschema_description:"Behave as Alertmanager does: repeat on 5xx and on transport errors until acknowledged, for 30 s at most."`
	Replica       int               `yaml:"replica,omitempty" json:"replica,omitempty" jsonschema:"minimum=1" jsonschema_description:"Send to this gateway only, from 1. Default: each in turn."`
	Method        string            `yaml:"method,omitempty" json:"method,omitempty"`
	Path          string            `yaml:"path,omitempty" json:"path,omitempty"`
	Headers       map[string]string `yaml:"headers,omitempty" json:"headers,omitempty"`
	As            *As               `yaml:"as,omitempty" json:"as,omitempty" jsonschema_description:"Who sends. Default: a bearer token that nobody knows."`
	TLS           string            `yaml:"tls,omitempty" json:"tls,omitempty" jsonschema:"enum=1.0,enum=1.1,enum=1.2,enum=1.3" jsonschema_description:"The only version of TLS that is spoken, in quotes. Default: what both sides know best."`
	Body          *string           `yaml:"body,omitempty" json:"body,omitempty" jsonschema_description:"Send these bytes instead of alerts."`
	JSON          any               `yaml:"json,omitempty" json:"json,omitempty" jsonschema_description:"Send this value as JSON instead of alerts; placeholders in its strings are filled in."`
	Count         int               `yaml:"count,omitempty" json:"count,omitempty" jsonschema:"minimum=1,maximum=50000" jsonschema_description:"Send the value of json this often, numbered by {{i}} from 1. Default 1."`
	PadTo         int64             `yaml:"padTo,omitempty" json:"padTo,omitempty" jsonschema_description:"Append spaces until the body has this many bytes."`
	Gzip          bool              `yaml:"gzip,omitempty" json:"gzip,omitempty" jsonschema_description:"Compress the body; padTo counts what comes out again."`
	Slowly        *Slowly           `yaml:"slowly,omitempty" json:"slowly,omitempty"`
	LeaveAfter    Duration          `yaml:"leaveAfter,omitempty" json:"leaveAfter,omitempty" jsonschema_description:"Break the connection after this time, answered or not, as a client does that ends or loses patience. No answer is then none: answers: {none: 1}."`
	Answers       map[string]int    `yaml:"answers,omitempty" json:"answers,omitempty" jsonschema_description:"Exact number of answers by HTTP status; 'none' counts requests without an answer."`
	Verdicts      map[string]int    `yaml:"verdicts,omitempty" json:"verdicts,omitempty" jsonschema_description:"Exact number of alerts by verdict."`
	Problem       string            `yaml:"problem,omitempty" json:"problem,omitempty" jsonschema_description:"Last part of the problem type that every refused request must carry."`
	AnswersWithin Duration          `yaml:"answersWithin,omitempty" json:"answersWithin,omitempty" jsonschema_description:"Bound on the slowest answer."`
}

// Slowly sends a part of a request a few bytes at a time.
type Slowly struct {
	Part           string `yaml:"part" json:"part" jsonschema:"enum=header,enum=body" jsonschema_description:"header: headers that never end, so nothing is ever asked. body: the headers at once, then the body."`
	BytesPerSecond int    `yaml:"bytesPerSecond" json:"bytesPerSecond" jsonschema:"minimum=1,maximum=1000000" jsonschema_description:"How fast that part is sent."`
}

// Storm sends many distinct alerts of one group: a shorthand for Send.
type Storm struct {
	ID            string            `yaml:"id" json:"id"`
	Count         int               `yaml:"count" json:"count" jsonschema:"minimum=1,maximum=50000"`
	Batch         int               `yaml:"batch,omitempty" json:"batch,omitempty" jsonschema:"minimum=1" jsonschema_description:"Alerts per request. Default 1."`
	Connections   int               `yaml:"connections,omitempty" json:"connections,omitempty" jsonschema:"minimum=1,maximum=256"`
	Alertname     string            `yaml:"alertname,omitempty" json:"alertname,omitempty" jsonschema_description:"Name of all of them. Default Storm."`
	Labels        map[string]string `yaml:"labels,omitempty" json:"labels,omitempty" jsonschema_description:"Labels of each, with {{i}} and {{ns}} as in alerts. Default: pod: pod-{{i}}, severity: critical."`
	Retry         bool              `yaml:"retry,omitempty" json:"retry,omitempty"`
	Answers       map[string]int    `yaml:"answers,omitempty" json:"answers,omitempty"`
	Verdicts      map[string]int    `yaml:"verdicts,omitempty" json:"verdicts,omitempty"`
	AnswersWithin Duration          `yaml:"answersWithin,omitempty" json:"answersWithin,omitempty"`
}

// Fault arms a fault on one of the scenario's own proxies.
type Fault struct {
	ID             string   `yaml:"id" json:"id"`
	Target         string   `yaml:"target" json:"target"`
	Kind           string   `yaml:"kind" json:"kind"`
	Times          int64    `yaml:"times,omitempty" json:"times,omitempty" jsonschema:"minimum=0" jsonschema_description:"How many hits; 0: until healed."`
	After          int64    `yaml:"after,omitempty" json:"after,omitempty" jsonschema:"minimum=0" jsonschema_description:"Let this many matches pass first."`
	Replica        int      `yaml:"replica,omitempty" json:"replica,omitempty" jsonschema:"minimum=1,maximum=3" jsonschema_description:"Hit this replica's way to the target only: a partition of one. Default: all."`
	Match          Match    `yaml:"match,omitempty" json:"match,omitempty"`
	Delay          Duration `yaml:"delay,omitempty" json:"delay,omitempty"`
	Code           int      `yaml:"code,omitempty" json:"code,omitempty"`
	RetryAfter     int      `yaml:"retryAfter,omitempty" json:"retryAfter,omitempty" jsonschema_description:"Seconds."`
	Reason         string   `yaml:"reason,omitempty" json:"reason,omitempty" jsonschema_description:"Replaces the reason that Kubernetes gives with code."`
	BytesPerSecond int64    `yaml:"bytesPerSecond,omitempty" json:"bytesPerSecond,omitempty"`
	// Applied is the exact count of the fault's receipt, checked when it is healed or the
	// scenario ends; nil demands at least one.
	Applied *int64 `yaml:"applied,omitempty" json:"applied,omitempty" jsonschema_description:"Exact number of hits that the proxy must have counted by the end. Default: at least one."`
}

// Match narrows a fault.
type Match struct {
	Command     string `yaml:"command,omitempty" json:"command,omitempty" jsonschema_description:"Redis command, for example EVALSHA."`
	Verb        string `yaml:"verb,omitempty" json:"verb,omitempty" jsonschema:"enum=get,enum=list,enum=watch,enum=create,enum=update,enum=patch,enum=delete"`
	Group       string `yaml:"group,omitempty" json:"group,omitempty" jsonschema_description:"API group; core is the one without a name."`
	Resource    string `yaml:"resource,omitempty" json:"resource,omitempty"`
	Subresource string `yaml:"subresource,omitempty" json:"subresource,omitempty"`
	Namespace   string `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	Name        string `yaml:"name,omitempty" json:"name,omitempty"`
}

// Check is an expression that must be true now.
type Check struct {
	That    string `yaml:"that" json:"that" jsonschema:"minLength=1" jsonschema_description:"CEL expression over answers, rr, pages, members, keys, metrics, faults, kube, ready, health, log, ns."`
	Because string `yaml:"because,omitempty" json:"because,omitempty" jsonschema_description:"Printed when it fails."`
}

// Wait is an expression that must become true.
type Wait struct {
	Within  Duration `yaml:"within" json:"within"`
	That    string   `yaml:"that" json:"that" jsonschema:"minLength=1"`
	Because string   `yaml:"because,omitempty" json:"because,omitempty"`
}

// Hold is an expression that must stay true.
type Hold struct {
	For     Duration `yaml:"for" json:"for"`
	That    string   `yaml:"that" json:"that" jsonschema:"minLength=1"`
	Because string   `yaml:"because,omitempty" json:"because,omitempty"`
}

// Select picks RemediationRequests by a CEL expression over `it`.
type Select struct {
	Where string `yaml:"where,omitempty" json:"where,omitempty" jsonschema_description:"CEL over 'it', a RemediationRequest. Default: all."`
	Count int    `yaml:"count" json:"count" jsonschema:"minimum=1" jsonschema_description:"How many must match."`
}

// Refused is a manifest that the API server must not take.
type Refused struct {
	Manifest string `yaml:"manifest" json:"manifest" jsonschema_description:"Kubernetes manifest; each of its objects must be refused."`
	Reason   string `yaml:"reason" json:"reason" jsonschema:"pattern=^[A-Z][A-Za-z]+$" jsonschema_description:"The reason of the API server's answer, for example Invalid or Forbidden."`
}

// Phase moves RemediationRequests to another phase, as a remediator would.
type Phase struct {
	To    string `yaml:"to" json:"to" jsonschema:"enum=Pending,enum=Active,enum=Completed,enum=Failed"`
	Where string `yaml:"where,omitempty" json:"where,omitempty"`
	Count int    `yaml:"count" json:"count" jsonschema:"minimum=1"`
}

// RedisCommand is sent to the scenario's server, past the fault proxy.
type RedisCommand struct {
	Command []string `yaml:"command,omitempty" json:"command,omitempty" jsonschema:"minItems=1" jsonschema_description:"For example [SCRIPT, FLUSH]. Needs an own server when it touches the whole server."`
	// Corrupt turns every key of the scenario whose name ends in this into a plain string.
	Corrupt    string   `yaml:"corrupt,omitempty" json:"corrupt,omitempty" jsonschema_description:"Replace each key of the scenario by a value of a wrong type."`
	Server     string   `yaml:"server,omitempty" json:"server,omitempty" jsonschema:"enum=stop,enum=start,enum=start-empty" jsonschema_description:"Kill the scenario's own server, or start it again: with what it had saved, or empty."`
	Node       string   `yaml:"node,omitempty" json:"node,omitempty" jsonschema:"enum=master,enum=replica,enum=sentinel" jsonschema_description:"Which server of a topology: stop kills the first one that has this role; start starts all that are down and had it. Default: master for stop, every one for start."`
	Failover   bool     `yaml:"failover,omitempty" json:"failover,omitempty" jsonschema_description:"An orderly failover; the step ends when all nodes agree on the new master. To fail over by a crash, stop the master. Needs the topology sentinel or cluster."`
	MoveSlotOf string   `yaml:"moveSlotOf,omitempty" json:"moveSlotOf,omitempty" jsonschema_description:"Move the slot of this key, named as in keys, to another master: clients meet ASK or TRYAGAIN meanwhile and MOVED afterwards. An asterisk at its end stands for the rest of the first such key. Needs the topology cluster."`
	Halfway    Duration `yaml:"halfway,omitempty" json:"halfway,omitempty" jsonschema_description:"How long the slot is under way, before its keys go."`
}

// Restart stops gateways in an orderly way and starts new ones; what is dead already is
// only started.
type Restart struct {
	Replica int            `yaml:"replica,omitempty" json:"replica,omitempty" jsonschema:"minimum=1,maximum=3" jsonschema_description:"This replica only. Default: all."`
	Gateway map[string]any `yaml:"gateway,omitempty" json:"gateway,omitempty" jsonschema_description:"Configuration from now on; default: as before."`
	// AddressOf makes the start fail.
	AddressOf int `yaml:"addressOf,omitempty" json:"addressOf,omitempty" jsonschema:"minimum=1,maximum=3" jsonschema_description:"Start it at the public address of this replica, which has it: it must end by itself with exit status 1, and stays down until the next restart. Why is in log. It needs: {system: binary}, and a replica."`
}

// Reload writes another configuration for gateways that go on running.
type Reload struct {
	Replica int            `yaml:"replica,omitempty" json:"replica,omitempty" jsonschema:"minimum=1,maximum=3" jsonschema_description:"This replica only. Default: all."`
	Gateway map[string]any `yaml:"gateway" json:"gateway" jsonschema_description:"The whole block of overrides from now on; it may be wrong on purpose."`
}

// Alertmanager drives a real Alertmanager that has the gateway as its webhook.
type Alertmanager struct {
	Start   *AlertmanagerStart `yaml:"start,omitempty" json:"start,omitempty"`
	Fire    *AlertmanagerFire  `yaml:"fire,omitempty" json:"fire,omitempty"`
	Resolve *AlertmanagerFire  `yaml:"resolve,omitempty" json:"resolve,omitempty"`
}

// AlertmanagerStart says how its one route groups and repeats.
type AlertmanagerStart struct {
	GroupBy        []string `yaml:"groupBy" json:"groupBy"`
	GroupWait      Duration `yaml:"groupWait" json:"groupWait"`
	GroupInterval  Duration `yaml:"groupInterval" json:"groupInterval"`
	RepeatInterval Duration `yaml:"repeatInterval" json:"repeatInterval"`
}

// AlertmanagerFire posts alerts to Alertmanager's own API.
type AlertmanagerFire struct {
	Alerts []Alert `yaml:"alerts" json:"alerts" jsonschema:"minItems=1"`
}

// Duration is a time.Duration that reads as text: "4m59s999ms".
type Duration time.Duration

// D is the duration as Go knows it.
func (d Duration) D() time.Duration { return time.Duration(d) }

// MarshalYAML writes the text form.
func (d Duration) MarshalYAML() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalYAML reads the text form.
func (d *Duration) UnmarshalYAML(b []byte) error {
	text := trimQuotes(strings.TrimSpace(string(b)))
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 500ms, 2s or 4m59s", text)
	}
	*d = Duration(v)
	return nil
}

// Patterns of texts, as the schema has them; a message knows each by its own words.
const (
	durationPattern = `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	idPattern       = `^[A-Z][A-Z0-9]{1,7}-[0-9]{2,3}$`
	promisePattern  = `^P[1-9]$`
	namePattern     = `^[a-z][a-z0-9-]*$`
	pathPattern     = `^/`
)

// JSONSchema describes the text form to editors.
func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: durationPattern,
		Description: "A duration such as 500ms, 2s or 4m59s."}
}

func trimQuotes(s string) string {
	for len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		s = s[1 : len(s)-1]
	}
	return s
}
