package remediation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Reason is why an alert has no object: a stable word for programs, in answers and metrics.
type Reason string

// The reasons. Those that begin with the namespace's are mended by a fallback namespace.
const (
	// QuotaExceeded, NamespaceTerminating and Forbidden pass when somebody acts, and the
	// sender keeps the alert until then.
	QuotaExceeded        Reason = "quota-exceeded"
	NamespaceTerminating Reason = "namespace-terminating"
	Forbidden            Reason = "forbidden"
	// Throttled, Timeout and Unavailable pass by themselves.
	Throttled   Reason = "throttled"
	Timeout     Reason = "timeout"
	Unavailable Reason = "kubernetes-unavailable"
	// These are final: the same alert would be refused again.
	NamespaceMissing Reason = "namespace-missing"
	AdmissionDenied  Reason = "admission-denied"
	Invalid          Reason = "invalid"
	TooLarge         Reason = "too-large"
	NamesTaken       Reason = "names-taken"
)

// Reasons lists them all.
func Reasons() []Reason {
	return []Reason{QuotaExceeded, NamespaceTerminating, Forbidden, Throttled, Timeout, Unavailable,
		NamespaceMissing, AdmissionDenied, Invalid, TooLarge, NamesTaken}
}

// final are the reasons that no repetition mends.
func (r Reason) final() bool {
	return slices.Contains([]Reason{NamespaceMissing, AdmissionDenied, Invalid, TooLarge, NamesTaken}, r)
}

// elsewhere reports whether the object may find a place in another namespace.
func (r Reason) elsewhere() bool {
	return r == NamespaceMissing || r == NamespaceTerminating || r == QuotaExceeded
}

// UnavailableError says that Kubernetes did not take the object, and may take it later:
// nothing was promised, and the sender should try again.
type UnavailableError struct {
	// Reason is Unavailable where it is empty.
	Reason Reason
	Doing  string
	// After is when the API server asked to be called again; 0 where it did not say.
	After time.Duration
	Err   error
}

// Error names what was being done.
func (e *UnavailableError) Error() string { return e.Doing + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// RefusedError says that Kubernetes will never take this alert's object as it is.
type RefusedError struct {
	// Reason is Invalid where it is empty.
	Reason Reason
	Detail string
	Err    error
}

// Error says why.
func (e *RefusedError) Error() string { return e.Detail + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// ReasonOf tells why Kubernetes did not take an object, and whether it may take it later. ok
// is false for an error that is not about Kubernetes.
func ReasonOf(err error) (reason Reason, retryable, ok bool) {
	var refused *RefusedError
	var unavailable *UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return cmp.Or(unavailable.Reason, Unavailable), true, true
	case errors.As(err, &refused):
		return cmp.Or(refused.Reason, Invalid), false, true
	default:
		return "", false, false
	}
}

// transient reports whether trying again may help.
func transient(err error) bool {
	var network net.Error
	return apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsUnexpectedServerError(err) ||
		apierrors.ReasonForError(err) == "" && !errors.Is(err, context.Canceled) ||
		errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded)
}

// classify turns the final error of a call into one that has an answer.
func classify(err error, verb, doing, namespace string) error {
	if err == nil {
		return nil
	}
	reason := reasonFor(err, verb)
	if !reason.final() {
		return &UnavailableError{Reason: reason, Doing: doing, After: askedFor(err), Err: err}
	}
	detail := "the API server refuses the object"
	if reason == NamespaceMissing {
		detail = fmt.Sprintf("namespace %q does not exist: create it, or set kubernetes.fallbackNamespace to one that does", namespace)
	}
	return &RefusedError{Reason: reason, Detail: detail, Err: err}
}

// reasonFor reads what the error carries, never its text.
func reasonFor(err error, verb string) Reason {
	var network net.Error
	switch {
	case apierrors.IsTooManyRequests(err):
		return Throttled
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &network) && network.Timeout():
		return Timeout
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return NamespaceTerminating
	case apierrors.IsRequestEntityTooLargeError(err):
		return TooLarge
	case apierrors.IsUnauthorized(err):
		return Forbidden
	}
	var api apierrors.APIStatus
	if !errors.As(err, &api) {
		return Unavailable
	}
	return reasonOfStatus(api.Status(), verb)
}

// reasonOfStatus tells those apart who say no, by what each leaves in the status, as real API
// servers were seen to do: the schema leaves a cause with a type for each field, a
// ValidatingAdmissionPolicy one without a type, a webhook no details at all; the authoriser the
// resource, and no name where it is not in the path; a quota resource and name, and no cause.
func reasonOfStatus(s metav1.Status, verb string) Reason {
	details := s.Details
	if details == nil {
		details = &metav1.StatusDetails{}
	}
	policy := slices.ContainsFunc(details.Causes, func(c metav1.StatusCause) bool { return c.Type == "" })
	forbidden, changes := s.Reason == metav1.StatusReasonForbidden, verb == "create" || verb == "update"
	switch {
	case s.Reason == metav1.StatusReasonNotFound && details.Kind == "namespaces":
		return NamespaceMissing
	case s.Reason == metav1.StatusReasonNotFound, s.Code < http.StatusBadRequest || s.Code >= http.StatusInternalServerError:
		return Unavailable // the kind is not installed, or the server itself is ill
	case changes && (policy || details.Kind == ""):
		return AdmissionDenied
	case forbidden && verb == "create" && details.Name != "":
		return QuotaExceeded
	case forbidden:
		return Forbidden
	case s.Reason == metav1.StatusReasonInvalid:
		return Invalid
	default:
		return Unavailable
	}
}
