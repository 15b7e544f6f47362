package fault

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// The user exists by name alone and has no rights, so it is the API server's own RBAC that
// refuses. Applied are the 403s that it answered.
func kubeForbiddenKind() Kind {
	return Kind{Target: Kubernetes, Name: Forbidden, Reads: ofRequest,
		Doc: "makes (matching) requests as a user without rights: the API server itself answers 403",
		site: func(ctx context.Context, s *Site, a *armed) (Handle, error) {
			if err := s.mayImpersonate(ctx, a); err != nil {
				return nil, err
			}
			f := &impersonation{armed: a, user: impersonated(s, a), refused: func(code int, _ http.Header) bool {
				return code == http.StatusForbidden
			}}
			a.act = f.meet
			s.Kubernetes.attach(a)
			return f, nil
		}}
}

// impersonated is a user name that no other scenario has.
func impersonated(s *Site, a *armed) string {
	return "stormproof:" + s.Run + ":" + s.Prefix + a.spec.ID
}

// mayImpersonate asks the API server to act as that user. Where it refuses us that, its 403
// would be ours and not the system's.
func (s *Site) mayImpersonate(ctx context.Context, a *armed) error {
	code, _, err := s.Kubernetes.as(ctx, impersonated(s, a), http.MethodPost, reviewPath, strings.NewReader(reviewBody))
	if err != nil {
		return fmt.Errorf("asking whether the API server lets us act as another user: %w", err)
	}
	if code == http.StatusForbidden {
		return &UnavailableError{a.spec.ID, "the kubeconfig's user may not impersonate users", "give it the verb impersonate on users"}
	}
	return nil
}

// impersonation has requests made as another user, and counts those that the API server
// refused for it.
type impersonation struct {
	*armed
	user string
	// refused tells such an answer by its status and header.
	refused func(code int, header http.Header) bool
	applied atomic.Int64
}

func (f *impersonation) meet(_ *call, _ *armed, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	r.Header.Set("Impersonate-User", f.user)
	next(&watchedAnswer{ResponseWriter: w, seen: func(code int, header http.Header) {
		if f.refused(code, header) {
			f.applied.Add(1)
		}
	}}, lent(r))
}

// Receipt implements Handle.
func (f *impersonation) Receipt() Receipt {
	r := f.armed.Receipt()
	r.Applied = f.applied.Load()
	return r
}

// watchedAnswer tells of the status and header of an answer before the client sees them.
type watchedAnswer struct {
	http.ResponseWriter
	seen func(code int, header http.Header)
}

// WriteHeader implements http.ResponseWriter.
func (w *watchedAnswer) WriteHeader(code int) {
	w.seen(code, w.Header())
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController find what can flush and hijack.
func (w *watchedAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
