package remediation

import (
	"context"
	"errors"
	"fmt"
	"net"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// UnavailableError says that Kubernetes could not be asked in time: nothing was promised,
// and the sender should try again.
type UnavailableError struct {
	Doing string
	Err   error
}

// Error names what was being done.
func (e *UnavailableError) Error() string { return e.Doing + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// RefusedError says that Kubernetes will never take this alert's object as it is.
type RefusedError struct {
	Detail string
	Err    error
}

// Error says why.
func (e *RefusedError) Error() string { return e.Detail + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// transient reports whether trying again may help.
func transient(err error) bool {
	var network net.Error
	return apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsUnexpectedServerError(err) ||
		apierrors.ReasonForError(err) == "" && !errors.Is(err, context.Canceled) ||
		errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded)
}

// namespaceMissing tells a missing namespace from a missing kind: only the former names an
// object of kind "namespaces".
func namespaceMissing(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil &&
		status.Status().Details.Kind == "namespaces"
}

// classify turns a final error of the API server into one that has an answer.
func classify(err error, doing, namespace string) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsInvalid(err), apierrors.IsRequestEntityTooLargeError(err):
		return &RefusedError{Detail: "the API server refuses the object", Err: err}
	case namespaceMissing(err):
		return &RefusedError{Detail: fmt.Sprintf("namespace %q does not exist and kubernetes.fallbackNamespace is not set", namespace), Err: err}
	default:
		return &UnavailableError{Doing: doing, Err: err}
	}
}
