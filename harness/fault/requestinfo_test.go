package fault

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAreReadAsTheAPIServerWould(t *testing.T) {
	tests := map[string]struct {
		method, url string
		want        RequestInfo
	}{
		"a list of a group's resource": {"GET", "/apis/g.dev/v1/namespaces/ns/things",
			RequestInfo{Verb: "list", Group: "g.dev", Resource: "things", Namespace: "ns"}},
		"a get of a core object": {"GET", "/api/v1/namespaces/ns/pods/p",
			RequestInfo{Verb: "get", Resource: "pods", Namespace: "ns", Name: "p"}},
		"a watch": {"GET", "/apis/g.dev/v1/things?watch=true",
			RequestInfo{Verb: "watch", Group: "g.dev", Resource: "things"}},
		"a create": {"POST", "/apis/g.dev/v1/namespaces/ns/things",
			RequestInfo{Verb: "create", Group: "g.dev", Resource: "things", Namespace: "ns"}},
		"an update of a status": {"PUT", "/apis/g.dev/v1/namespaces/ns/things/t/status",
			RequestInfo{Verb: "update", Group: "g.dev", Resource: "things", Subresource: "status", Namespace: "ns", Name: "t"}},
		"a patch":            {"PATCH", "/api/v1/nodes/n", RequestInfo{Verb: "patch", Resource: "nodes", Name: "n"}},
		"a delete":           {"DELETE", "/api/v1/nodes/n", RequestInfo{Verb: "delete", Resource: "nodes", Name: "n"}},
		"a namespace itself": {"GET", "/api/v1/namespaces/ns", RequestInfo{Verb: "get", Resource: "namespaces", Name: "ns"}},
		"a namespace's own subresource": {"PUT", "/api/v1/namespaces/ns/finalize",
			RequestInfo{Verb: "update", Resource: "namespaces", Name: "ns", Subresource: "finalize"}},
		"what is no resource": {"GET", "/healthz", RequestInfo{Verb: "get"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := describe(httptest.NewRequest(tc.method, tc.url, nil))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryFieldOfAMatchNarrows(t *testing.T) {
	info := RequestInfo{Verb: "update", Group: "g.dev", Resource: "things", Subresource: "status", Namespace: "ns", Name: "t"}
	for name, tc := range map[string]struct {
		match Match
		want  bool
	}{
		"an empty match takes everything": {Match{}, true},
		"all fields equal":                {Match{"", "update", "g.dev", "things", "status", "ns", "t"}, true},
		"another verb":                    {Match{Verb: "get"}, false},
		"another group":                   {Match{Group: "h.dev"}, false},
		"another resource":                {Match{Resource: "pods"}, false},
		"another subresource":             {Match{Subresource: "scale"}, false},
		"another namespace":               {Match{Namespace: "other"}, false},
		"another name":                    {Match{Name: "u"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.match.request(info); got != tc.want {
				t.Errorf("match = %v, want %v", got, tc.want)
			}
		})
	}
}
