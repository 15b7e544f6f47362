package fault

import (
	"net/http"
	"strings"
)

// describe reads a request as the API server would.
// See https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb.
func describe(r *http.Request) RequestInfo {
	var info RequestInfo
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) >= 3 && parts[0] == "apis":
		info.Group = parts[1]
		parts = parts[3:]
	case len(parts) >= 2 && parts[0] == "api":
		parts = parts[2:]
	default:
		parts = nil
	}
	if len(parts) >= 2 && parts[0] == "namespaces" {
		// A namespace's own subresources look like resources inside of it.
		own := len(parts) == 3 && (parts[2] == "status" || parts[2] == "finalize")
		if len(parts) > 2 && !own {
			info.Namespace = parts[1]
			parts = parts[2:]
		}
	}
	for i, part := range parts {
		switch i {
		case 0:
			info.Resource = part
		case 1:
			info.Name = part
		case 2:
			info.Subresource = part
		}
	}
	info.Verb = verb(r, info.Name != "" || info.Resource == "") // discovery and health are got, not listed
	return info
}

func verb(r *http.Request, named bool) string {
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		return "delete"
	}
	switch watch := r.URL.Query().Get("watch"); {
	case watch == "true" || watch == "1":
		return "watch"
	case named:
		return "get"
	default:
		return "list"
	}
}

// request reports whether a request is one that the fault is aimed at.
func (m Match) request(i RequestInfo) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	group := is(m.Group, i.Group) || m.Group == CoreGroup && i.Group == "" && i.Resource != ""
	return is(m.Verb, i.Verb) && group && is(m.Resource, i.Resource) &&
		is(m.Subresource, i.Subresource) && is(m.Namespace, i.Namespace) && is(m.Name, i.Name)
}
