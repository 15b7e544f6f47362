package fault

import (
	"context"
	"net/http"
	"slices"
)

// Kind is one kind of fault, as lint, the JSON Schema and the reference know it.
type Kind struct {
	Target, Name string
	// Doc is one line.
	Doc string
	// Reads are the fields of a Spec that it uses besides id, target and kind, as written
	// in YAML, for example match.verb.
	Reads []string
	// OwnServer says that it reconfigures the server: it is refused on a shared one.
	OwnServer bool

	// check, if not nil, explains what is wrong with the settings.
	check func(Spec) *SpecError
	// Exactly one of these carries it out, and says where: at a connection to Redis, at a
	// request to Kubernetes, at a request to a sink, or at the target itself.
	conn func(*armed) redisFault
	call func(c *call, a *armed, w http.ResponseWriter, r *http.Request, next http.HandlerFunc)
	door func(a *armed, w http.ResponseWriter, r *http.Request) int
	site func(ctx context.Context, s *Site, a *armed) (Handle, error)
}

// CountedBy says who counts what the receipt calls applied.
func (k Kind) CountedBy() string {
	switch {
	case k.Target == Sink:
		return "the sink"
	case k.OwnServer:
		return "the Redis server"
	case k.Target == Kubernetes && k.site != nil:
		return "the API server's answers"
	default:
		return "the proxy"
	}
}

// AvailableWith says what a scenario or its environment must have for it.
func (k Kind) AvailableWith() string {
	switch {
	case k.OwnServer:
		return "`needs: {redis: own}`"
	case k.Target == Redis:
		return "one Redis server without TLS"
	case k.Target == Sink:
		return "`sinks`"
	case k.site != nil:
		return "a user who may impersonate users"
	default:
		return "every cluster"
	}
}

// Registry is the list of what there is, in the order of the reference. It is a function,
// so that nothing is registered behind the reader's back.
func Registry() []Kind {
	return []Kind{
		redisLatencyKind(), redisBandwidthKind(), redisCutKind(), redisHangKind(), redisReplyLostKind(),
		redisOOMKind(), redisEvictKind(), redisReadOnlyKind(), redisLoadingKind(), redisNoScriptKind(),
		redisConnectionsKind(), redisFlushKind(),
		kubeStatusKind(), kubeLatencyKind(), kubeHangKind(), kubeResetKind(), kubeCutKind(), kubeReplyLostKind(),
		kubeSlowBodyKind(), kubeWatchDropKind(), kubeForbiddenKind(), kubeThrottleKind(),
		sinkStatusKind(), sinkLatencyKind(), sinkHangKind(),
	}
}

// Targets lists what faults can be aimed at.
func Targets() []string { return []string{Redis, Kubernetes, Sink} }

// Kinds lists the kinds of faults of a target, nil for an unknown target.
func Kinds(target string) []string {
	var out []string
	for _, k := range Registry() {
		if k.Target == target {
			out = append(out, k.Name)
		}
	}
	return out
}

// KindOf is the kind of a Spec that Validate has passed.
func KindOf(s Spec) Kind {
	list := Registry()
	return list[slices.IndexFunc(list, func(k Kind) bool { return k.Target == s.Target && k.Name == s.Kind })]
}

// Fields that many kinds read.
var (
	counted   = []string{"times", "after"}
	ofReplica = append([]string{"replica"}, counted...)
	ofCommand = append([]string{"match.command"}, ofReplica...)
	ofRequest = append([]string{"match.verb", "match.group", "match.resource", "match.subresource", "match.namespace", "match.name"}, ofReplica...)
	ofSink    = append([]string{"match.name"}, counted...)
)

// with is a list of fields and some more.
func with(fields []string, more ...string) []string { return append(slices.Clone(fields), more...) }
