package scenario

import "github.com/invopop/jsonschema"

// definitionDocs describe the types; a field of such a type has its type's description where
// its tag gives none.
var definitionDocs = map[string]string{
	"Scenario":          "One file is one scenario.",
	"Step":              "One action or one check: exactly one of these fields.",
	"Send":              "Post alerts as Alertmanager does, or raw bytes (body), or a value (json), once or several times, and check the answers.",
	"Storm":             "Send many distinct alerts of one group: a shorthand for send.",
	"LoadStep":          "Send a profile of alerts at a rate (open loop) or over connections (closed loop). A request that is dropped fails the step.",
	"Fault":             "Arm a fault on one of the scenario's own proxies. Its receipt is checked when it is healed or the scenario ends.",
	"Match":             "Narrows a fault; what is left out matches everything.",
	"Check":             "An expression that must be true now.",
	"Wait":              "An expression that must become true. It stops at once when the expression has an error.",
	"Hold":              "An expression that must stay true.",
	"Select":            "Delete RemediationRequests.",
	"Refused":           "Try to create what a manifest says, and make nothing (a dry run), until the API server refuses it for this reason: the schema at once, a quota or a policy when they are in force, 10 s at most.",
	"Phase":             "Move RemediationRequests to another phase, as a remediator would.",
	"RedisCommand":      "Do something to the scenario's Redis, past the fault proxy. What reaches the whole server needs: {redis: own}.",
	"Restart":           "Stop gateways in an orderly way and start new ones; what is dead is only started.",
	"Reload":            "Edit the configuration file of gateways that go on running. Wait for what the gateway says of it.",
	"Slowly":            "Send a part of the request a few bytes at a time.",
	"Crash":             "Let a replica kill itself, or panic, when it next reaches a named step of its own pipeline: a fault with a receipt. It needs: {system: binary}.",
	"Replica":           "Picks one replica.",
	"Use":               "Put the steps of a fragment here.",
	"As":                "Who sends: exactly one of these fields.",
	"TokenOf":           "A token that the API server makes for a service account, good for an hour.",
	"BasicOf":           "A name and a password, as basic_auth of Alertmanager sends them.",
	"HMACOf":            "A signature over each request, as Standard Webhooks have it.",
	"CertificateOf":     "A client certificate of the authority in {{file.clients-ca}}.",
	"Alertmanager":      "Drive a real Alertmanager that has the gateway as its webhook: exactly one of these fields.",
	"AlertmanagerStart": "Start it; its one route groups and repeats like this.",
	"AlertmanagerFire":  "Post alerts to Alertmanager's own API.",
	"Alert":             "A template of one or more alerts.",
	"Needs":             "What a scenario cannot do without. An unmet need is an environment error, never a skip.",
	"System":            "A service of one's own in place of the gateway.",
	"Ready":             "A probe.",
	"SystemClock":       "The request that moves a clock.",
	"Metrics":           "Where Prometheus metrics are.",
	"ObjectsKind":       "Objects of one kind in the scenario's namespaces.",
	"Profile":           "What the alerts of a load are.",
	"Skew":              "How uneven the alerts are: Zipf exponents.",
	"Padding":           "Bytes of annotation in each alert.",
	"Fragment":          "Steps that scenarios share by a step use.",
	"Duration":          "A duration such as 500ms, 2s or 4m59s.",
}

// fieldDocs describe fields whose tags do not.
var fieldDocs = map[string]string{
	"Alert.annotations": "Annotations; {{i}} and {{ns}} are filled in as in labels.", "Alert.generatorURL": "The alert's generatorURL.",
	"Send.alerts": "The alerts of the webhook.", "Send.commonLabels": "The webhook's commonLabels.", "Send.commonAnnotations": "The webhook's commonAnnotations.",
	"Send.method": "HTTP method. Default POST.", "Send.path": "URL path. Default: where the system takes alerts.", "Send.headers": "Further request headers.",
	"LoadStep.path": "URL path. Default: where the system takes alerts.",
	"Storm.id":      "Name for answers[id] in expressions.", "Storm.count": "How many alerts, numbered by {{i}} from 1.", "Storm.connections": "How many requests at once. Default 1: one after the other.",
	"Storm.retry":         "Behave as Alertmanager does: repeat on 5xx and on transport errors until acknowledged, for 30 s at most.",
	"Storm.answers":       "Exact number of answers by HTTP status; 'none' counts requests without an answer.",
	"Storm.verdicts":      "Exact number of alerts by verdict.",
	"Storm.answersWithin": "Bound on the slowest answer.",
	"Fault.id":            "Name for faults[id] in expressions, and for heal.", "Fault.target": "What it stands in front of.",
	"Fault.delay": "How late requests are, for kind latency.", "Fault.code": "HTTP status that is answered, for kind status.",
	"Fault.bytesPerSecond": "For the kinds bandwidth and slow-body.",
	"Match.verb":           "Kubernetes verb.", "Match.resource": "Plural, for example remediationrequests.", "Match.subresource": "For example status.",
	"Match.namespace": "Namespace, for example {{ns}}.", "Match.name": "Name in the URL (a create has none); for target sink, the sink's name.",
	"Wait.within": "How long it may take.", "Hold.for": "How long it is watched.",
	"Wait.that": "CEL expression, as in expect.", "Hold.that": "CEL expression, as in expect.", "Wait.because": "Printed when it fails.", "Hold.because": "Printed when it fails.",
	"Phase.to": "The phase to set.", "Phase.where": "CEL over 'it', a RemediationRequest. Default: all.", "Phase.count": "How many must match.",
	"Ready.path": "URL path.", "Metrics.path": "URL path. Default /metrics.", "Metrics.listener": "Which of the system's listeners.",
	"ObjectsKind.apiVersion": "For example v1.", "ObjectsKind.kind": "For example ConfigMap.",
	"AlertmanagerFire.alerts": "The alerts.", "AlertmanagerStart.groupBy": "Labels that group alerts.", "AlertmanagerStart.groupWait": "Alertmanager's group_wait.",
	"AlertmanagerStart.groupInterval": "Alertmanager's group_interval.", "AlertmanagerStart.repeatInterval": "Alertmanager's repeat_interval.",
	"BasicOf.user":         "The name.",
	"Alertmanager.resolve": "Post the same alerts as resolved.",
}

// fieldExamples are what a message proposes for a field that is missing, and what editors show.
var fieldExamples = map[string]any{
	"Scenario.id": "STO-31", "Scenario.title": "two pods are two objects", "Scenario.category": "storm",
	"Send.id": "first", "Storm.id": "wave", "Storm.count": 10, "LoadStep.id": "load", "Fault.id": "down", "Fault.target": "kubernetes", "Fault.kind": "latency",
	"Check.that": "rr.size() == 1", "Wait.that": "rr.size() == 1", "Hold.that": "rr.size() == 1", "Wait.within": "5s", "Hold.for": "500ms",
	"Select.count": 1, "Phase.to": "Completed", "Phase.count": 1, "Crash.at": "object-created", "Use.fragment": "../fragments/open-incident.yaml",
	"TokenOf.serviceAccount": "alertmanager", "BasicOf.user": "alertmanager", "BasicOf.password": "{{secret.pager}}", "HMACOf.secret": "hook", "CertificateOf.name": "alertmanager",
	"Step.advance": "5m1s", "Step.heal": "down", "Step.apiServer": "stop", "Ready.path": "/healthz", "SystemClock.path": "/clock",
	"ObjectsKind.apiVersion": "v1", "ObjectsKind.kind": "ConfigMap",
	"AlertmanagerStart.groupWait": "300ms", "AlertmanagerStart.groupInterval": "500ms", "AlertmanagerStart.repeatInterval": "1h",
}

// describe gives every type and field of a schema its description and example.
func describe(s *jsonschema.Schema) {
	for name, def := range s.Definitions {
		if text := definitionDocs[name]; text != "" {
			def.Description = text
		}
		for p := def.Properties.Oldest(); p != nil; p = p.Next() {
			field := name + "." + p.Key
			if p.Value.Description == "" {
				p.Value.Description = fieldDocs[field]
			}
			if p.Value.Description == "" {
				p.Value.Description = definitionDocs[refName(p.Value.Ref)]
			}
			if example, ok := fieldExamples[field]; ok {
				p.Value.Examples = []any{example}
			}
		}
	}
}

// refName is the type that a reference leads to.
func refName(ref string) string {
	const prefix = "#/$defs/"
	if len(ref) < len(prefix) {
		return ""
	}
	return ref[len(prefix):]
}
