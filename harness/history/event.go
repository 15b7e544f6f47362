// Package history records what a scenario did and what it saw, one JSON object a line,
// appended and flushed as it happens, so that the record survives a panic and can be judged
// again later by a program that never saw the run.
//
// A history is evidence, not opinion: it holds requests as sent, answers as received,
// objects as read, times as measured. It says nothing about what any of that means; that
// is package judge, which reads histories and nothing else.
//
// Two times stand on each event. At is the harness's monotonic time since the scenario
// began: it orders events. Clock is the scenario's own clock (real time plus the advances
// made so far): it is the time that windows are measured in.
//
// A request without an answer (the connection broke, the deadline passed) has an Answer
// event whose Status is 0: it may or may not have taken effect, and readers must allow both.
package history

import (
	"encoding/json"
	"time"
)

// Schema is the version of the event format; it stands on the first event of a file.
const Schema = "stormproof.history/v2"

// schemaV1 had no List, Scan and Leak, nor what Begin says of promises, secrets and TTLs.
// Everything that it had still means the same, so its files are read and judged as they are.
const schemaV1 = "stormproof.history/v1"

// Event is one line of a history. Exactly one of the pointer fields is set.
type Event struct {
	// Seq numbers the events of a history from 1, in the order in which they were written.
	Seq int64 `json:"seq"`
	// At is monotonic nanoseconds since the scenario began.
	At time.Duration `json:"at"`
	// Clock is the scenario's clock.
	Clock time.Time `json:"clock"`
	// Step is the index of the step under way, from 0; -1 outside of steps.
	Step int `json:"step"`

	Begin   *Begin   `json:"begin,omitempty"`
	Request *Request `json:"request,omitempty"`
	Answer  *Answer  `json:"answer,omitempty"`
	Load    *Load    `json:"load,omitempty"`
	Advance *Advance `json:"advance,omitempty"`
	Fault   *Fault   `json:"fault,omitempty"`
	Object  *Object  `json:"object,omitempty"`
	Page    *Page    `json:"page,omitempty"`
	Key     *Key     `json:"key,omitempty"`
	List    *List    `json:"list,omitempty"`
	Scan    *Scan    `json:"scan,omitempty"`
	Leak    *Leak    `json:"leak,omitempty"`
	Residue *Residue `json:"residue,omitempty"`
	Note    *Note    `json:"note,omitempty"`
	Action  *Action  `json:"action,omitempty"`
	End     *End     `json:"end,omitempty"`
}

// Begin is the first event: what the judge must know of the system's configuration.
type Begin struct {
	Schema   string `json:"schema"`
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Promises are those that the system makes, as "P1"; empty is all of them. The others
	// are not judged.
	Promises []string `json:"promises,omitempty"`
	// Window is the deduplication window.
	Window time.Duration `json:"window"`
	// HoldWhileActive keeps an incident open past its window while it is not terminal.
	HoldWhileActive bool `json:"holdWhileActive"`
	// IgnoredLabels are left out of an alert's identity.
	IgnoredLabels []string `json:"ignoredLabels"`
	// Storms are the storm rules in order; the first that matches an alert wins.
	Storms []StormRule `json:"storms"`
	// Deadline bounds one request; P6 allows answers no later than this plus a second.
	Deadline time.Duration `json:"deadline"`
	// Namespaces are those that belong to this scenario alone.
	Namespaces []string `json:"namespaces"`
	// RedisPrefix begins every key that belongs to this scenario.
	RedisPrefix string `json:"redisPrefix"`
	// MaxTTL is the longest time that a Redis key may live after it was last touched; 0
	// says nothing. Redis counts it in real time, so At is what it is measured by.
	MaxTTL time.Duration `json:"maxTTL,omitempty"`
	// FreesWithin is how long after the deletion of an object its fingerprint may still be
	// taken, in real time; 0 is a system that does not promise to notice deletions.
	FreesWithin time.Duration `json:"freesWithin,omitempty"`
	// Secrets were planted for this scenario and must show up nowhere.
	Secrets []Secret `json:"secrets,omitempty"`
}

// Secret names a planted secret. Histories are kept and shown, so they hold its hash only.
type Secret struct {
	Name string `json:"name"`
	// SHA256 of the secret, in hex.
	SHA256 string `json:"sha256"`
}

// StormRule mirrors one entry of the gateway's storm.rules.
type StormRule struct {
	Name      string        `json:"name"`
	By        []string      `json:"by"`
	Threshold int           `json:"threshold"`
	Window    time.Duration `json:"window"`
}

// Alert is one alert as it was sent, after commonLabels were merged by the sender's rules.
type Alert struct {
	// Index in the request's list, from 0.
	Index    int               `json:"index"`
	Labels   map[string]string `json:"labels"`
	StartsAt time.Time         `json:"startsAt"`
	Resolved bool              `json:"resolved,omitempty"`
	// Malformed marks an alert that the contract must refuse (a missing alertname, say).
	Malformed bool `json:"malformed,omitempty"`
}

// Request is one HTTP request, recorded before it is sent.
type Request struct {
	// ID is unique in the history; the Answer carries it too.
	ID string `json:"id"`
	// Name is the id of the send or storm step that made it.
	Name   string  `json:"name,omitempty"`
	Method string  `json:"method"`
	Path   string  `json:"path"`
	Alerts []Alert `json:"alerts,omitempty"`
	// Opaque marks a body that the harness cannot read as alerts (malformed on purpose).
	Opaque bool `json:"opaque,omitempty"`
	// Leaves marks a request whose sender breaks it off on purpose, or never sends all of it:
	// then no answer is none that is missing.
	Leaves bool `json:"leaves,omitempty"`
	// RetryOf names the earlier request with the same body that this one repeats because
	// it was not acknowledged.
	RetryOf string `json:"retryOf,omitempty"`
}

// Verdict is what the gateway said about one alert of a request.
type Verdict struct {
	Index           int    `json:"index"`
	Verdict         string `json:"verdict"`
	Fingerprint     string `json:"fingerprint,omitempty"`
	Namespace       string `json:"namespace,omitempty"`
	Name            string `json:"name,omitempty"`
	Storm           string `json:"storm,omitempty"`
	Occurrences     int64  `json:"occurrences,omitempty"`
	Deliveries      int64  `json:"deliveries,omitempty"`
	Renotifications int64  `json:"renotifications,omitempty"`
}

// Answer ends a request. Status 0 means that none was seen.
type Answer struct {
	ID      string        `json:"id"`
	Status  int           `json:"status"`
	Latency time.Duration `json:"latency"`
	// RetryAfter is the header as sent, "" when absent.
	RetryAfter  string    `json:"retryAfter,omitempty"`
	ContentType string    `json:"contentType,omitempty"`
	Verdicts    []Verdict `json:"verdicts,omitempty"`
	// Problem is the problem document's type, for errors.
	Problem string `json:"problem,omitempty"`
	// Error is the transport error where Status is 0.
	Error string `json:"error,omitempty"`
	// Barred says that the server ended the TLS handshake: it has seen no request.
	Barred bool `json:"barred,omitempty"`
}

// Acked reports whether the sender may forget the alerts of the request.
func (a Answer) Acked() bool { return a.Status >= 200 && a.Status < 300 }

// Load sums up a load step when it is over; its requests have events of their own. The
// judge ignores it.
type Load struct {
	// Name is the id of the step.
	Name string `json:"name"`
	// Planned = Sent + Dropped; Late were sent too late.
	Planned int `json:"planned"`
	Sent    int `json:"sent"`
	Late    int `json:"late"`
	Dropped int `json:"dropped"`
	// Unacked were sent and not acknowledged.
	Unacked int `json:"unacked,omitempty"`
	// Rate is what was aimed at, in requests a second; 0 for a closed loop. Elapsed is from
	// the start to the last answer.
	Rate    float64       `json:"rate,omitempty"`
	Elapsed time.Duration `json:"elapsed,omitempty"`
	// Latency counts from the intended time of each request: percentiles in milliseconds and
	// the whole HdrHistogram, as package traffic writes them.
	Latency json.RawMessage `json:"latency"`
}

// Advance moves the scenario's clock; the event's Clock is already the new time.
type Advance struct {
	By time.Duration `json:"by"`
}

// Fault is a state change of an injected fault. The counts are the proxy's own.
type Fault struct {
	ID     string `json:"id"`
	Target string `json:"target"`
	Kind   string `json:"kind"`
	// Change is armed, applied or removed.
	Change  string `json:"change"`
	Planned int64  `json:"planned"`
	Matched int64  `json:"matched"`
	Applied int64  `json:"applied"`
}

// Object is a RemediationRequest as seen: by the watch while the scenario ran (Final
// false), or in the last live list (Final true).
type Object struct {
	// Change is added, modified or deleted for watch events, and listed for the last list.
	Change      string            `json:"change"`
	Final       bool              `json:"final"`
	UID         string            `json:"uid"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Fingerprint string            `json:"fingerprint"`
	Incarnation int               `json:"incarnation"`
	Labels      map[string]string `json:"labels"`
	Phase       string            `json:"phase"`
	// Managed is false for an object that the gateway did not make.
	Managed     bool      `json:"managed"`
	Storm       bool      `json:"storm"`
	GroupKey    string    `json:"groupKey,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	Occurrences int64     `json:"occurrences"`
	Deliveries  int64     `json:"deliveries"`
	// Renotifications is nil in histories from before they were counted.
	Renotifications *int64 `json:"renotifications,omitempty"`
	Members         int64  `json:"members"`
}

// Page is a StormPage in the last live list.
type Page struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Storm     string   `json:"storm"`
	Number    int      `json:"number"`
	Members   []Member `json:"members"`
}

// Member is one member of a Page.
type Member struct {
	Fingerprint string            `json:"fingerprint"`
	Labels      map[string]string `json:"labels"`
}

// Key is a Redis key of the scenario, read after the last step.
type Key struct {
	Name string `json:"name"`
	// TTL is negative for a key that never expires.
	TTL  time.Duration `json:"ttl"`
	Type string        `json:"type"`
}

// List follows the last live lists: it says how much they held, so that a reader notices
// a history that lacks a part of them.
type List struct {
	// Objects counts Object events with Final set; Pages and Keys those of their kinds.
	Objects int `json:"objects"`
	Pages   int `json:"pages"`
	// Keys is -1 when Redis was down and its keys could not be read.
	Keys int `json:"keys"`
}

// Scan says that the traces of the run were searched for the planted secrets.
type Scan struct {
	// Places is how many logs, answers, pages of metrics and lists of objects were read.
	Places int   `json:"places"`
	Bytes  int64 `json:"bytes"`
	// Missed are traces that should have been read and were not, each with its reason.
	Missed []string `json:"missed,omitempty"`
}

// Leak is a planted secret that the search found.
type Leak struct {
	// Secret is its name in Begin.Secrets.
	Secret string `json:"secret"`
	// Where says in words where it stood, for example "log of gateway 1, line 12".
	Where string `json:"where"`
}

// Residue is something left behind after the scenario was taken down.
type Residue struct {
	// Kind is redis-key, object, goroutine, connection, file or process.
	Kind string `json:"kind"`
	What string `json:"what"`
}

// Note is a remark for the reader of a timeline; the judge ignores it.
type Note struct {
	Text string `json:"text"`
}

// Action is something that the scenario did to the world other than a request: an object
// deleted or moved to another phase, a restart, a Redis command.
type Action struct {
	// Kind is delete, phase, restart, kill, terminate, restarted, redis or create. The system,
	// or a replica of it, is down from a restart, kill or terminate to the next restarted.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

// End is the last event of a history that was finished in an orderly way.
type End struct {
	// Clean is false when the scenario stopped at a failed step.
	Clean bool `json:"clean"`
}
