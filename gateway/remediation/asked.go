package remediation

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// askedKey finds the time that the server asked to be left alone, in the context of a call.
type askedKey struct{}

// withAsked makes room for that time in a context.
func withAsked(ctx context.Context) (context.Context, *atomic.Int64) {
	asked := new(atomic.Int64)
	return context.WithValue(ctx, askedKey{}, asked), asked
}

// OwnRetries takes Retry-After out of answers to calls that a Caller makes, and tells the
// Caller. With the header client-go would wait by itself, for exactly that long: all that
// were throttled together would come back together, hidden from deadlines and metrics.
func OwnRetries(next http.RoundTripper) http.RoundTripper { return ownRetries{next} }

type ownRetries struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (o ownRetries) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := o.next.RoundTrip(r)
	asked, ours := r.Context().Value(askedKey{}).(*atomic.Int64)
	if err != nil || !ours {
		return res, err
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		asked.Store(int64(time.Duration(seconds) * time.Second))
	}
	res.Header.Del("Retry-After")
	return res, nil
}

// askedError is an error of the API server with the time that it asked to be left alone.
type askedError struct {
	error
	after time.Duration
}

// Unwrap returns the error itself.
func (e *askedError) Unwrap() error { return e.error }

// withAfter keeps the time with the error, where there is one.
func withAfter(err error, after time.Duration) error {
	if err == nil || after <= 0 {
		return err
	}
	return &askedError{err, after}
}

// askedFor is the time that came with an error; 0 for none.
func askedFor(err error) time.Duration {
	var asked *askedError
	if errors.As(err, &asked) {
		return asked.after
	}
	return 0
}
