package fault

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// statusOf is what the API server would say with the fault's code.
func statusOf(s Spec, info RequestInfo) metav1.Status {
	method := strings.ToUpper(info.Verb)
	if info.Verb == "create" { // the library tells AlreadyExists from Conflict by the method
		method = http.MethodPost
	}
	resource := schema.GroupResource{Group: info.Group, Resource: info.Resource}
	status := apierrors.NewGenericServerResponse(s.Code, method, resource, info.Name,
		"fault "+s.ID+" was injected", s.RetryAfter, false).Status()
	if s.Reason != "" {
		status.Reason = metav1.StatusReason(s.Reason)
	}
	return status
}

// refuse answers in the API server's place, in its own form.
func refuse(w http.ResponseWriter, status metav1.Status, retryAfter int) {
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	status.Status = metav1.StatusFailure
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status) // a client that has gone needs no answer
}

func kubeStatusKind() Kind {
	return Kind{Target: Kubernetes, Name: Status, Reads: with(ofRequest, "code", "retryAfter", "reason"),
		Doc:   "answers code in the API server's place",
		check: checkStatus,
		call: func(c *call, a *armed, w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			refuse(w, statusOf(a.spec, c.info), a.spec.RetryAfter)
		}}
}
