// Package auth says who sent a request, and whether he may.
//
// A Gate holds the ways to be known that the configuration has switched on; a request is let
// in when one of them lets it in:
//
//	certificate   a client certificate, checked by TLS, of a name in a list
//	signature     an HMAC over id, time and body, as Standard Webhooks have it
//	token         a bearer token that the API server knows (TokenReview) and whose user may
//	              send alerts (SubjectAccessReview)
//	password      basic authentication against a file of bcrypt hashes
//
// Who is not let in gets a Refusal. It tells the log why; the sender learns the status alone.
// A check that cannot be made is 503 and never 401: Alertmanager repeats the one, and loses
// the alert with the other. Secrets are kept as hashes, or in files that are read again when
// they change.
//
// Source is for everybody who treats senders apart, in limits and logs.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/redis/go-redis/v9"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/remediation"
)

// Refusal is why a request is not let in.
type Refusal struct {
	// Status is 401 (nobody knows who this is), 403 (known, and may not) or 503 (it could not
	// be found out).
	Status int
	// Err is for the log. It holds no secret.
	Err error
}

// Error implements error.
func (e *Refusal) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Refusal) Unwrap() error { return e.Err }

func unknown(format string, args ...any) error {
	return &Refusal{http.StatusUnauthorized, fmt.Errorf(format, args...)}
}

func forbidden(format string, args ...any) error {
	return &Refusal{http.StatusForbidden, fmt.Errorf(format, args...)}
}

func unavailable(format string, args ...any) error {
	return &Refusal{http.StatusServiceUnavailable, fmt.Errorf(format, args...)}
}

// errAbsent says that a request has no credentials of a method's kind: try the next one.
// Any other error is final for the method.
var errAbsent = errors.New("no credentials")

// method is one way to be known.
type method interface {
	// admit returns the sender's name, errAbsent, a *Refusal, or the error of reading the body.
	// Target is what he wants to send to: a source's name.
	admit(r *http.Request, target string) (name string, err error)
	// challenge is what WWW-Authenticate says of it, "" for nothing.
	challenge() string
}

// settler is a method that wants to know how a request that it admitted ended.
type settler interface {
	settle(r *http.Request, acknowledged bool)
}

// Options of a Gate.
type Options struct {
	Config config.Auth
	// Client and Caller ask the API server about tokens.
	Client client.Client
	Caller remediation.Caller
	// Redis remembers signatures under keys that begin with Prefix; with Alone, each process
	// does so by itself while Redis cannot be reached.
	Redis  redis.Cmdable
	Prefix string
	Alone  bool
	Clock  clock.Clock
	Log    *slog.Logger
}

// Gate lets requests in.
type Gate struct {
	methods    []method
	challenges []string
}

// New builds the gate of a configuration; it is nil, and lets everybody in, where that has no
// method. It fails when a file of secrets cannot be used.
func New(o Options) (*Gate, error) {
	g := &Gate{}
	if len(o.Config.Certificate.Names) > 0 {
		g.methods = append(g.methods, certificate(o.Config.Certificate.Names))
	}
	if len(o.Config.HMAC.Keys) > 0 {
		m, err := newSignature(o)
		if err != nil {
			return nil, err
		}
		g.methods = append(g.methods, m)
	}
	if len(o.Config.TokenReview.Audiences) > 0 {
		g.methods = append(g.methods, newToken(o))
	}
	if o.Config.Basic.UsersFile != "" {
		m, err := newPassword(o)
		if err != nil {
			return nil, err
		}
		g.methods = append(g.methods, m)
	}
	if len(g.methods) == 0 {
		return nil, nil
	}
	for _, m := range g.methods {
		if c := m.challenge(); c != "" {
			g.challenges = append(g.challenges, c)
		}
	}
	return g, nil
}

// Challenge is the value of WWW-Authenticate.
func (g *Gate) Challenge() string { return strings.Join(g.challenges, ", ") }

// Admit lets a request in, or says why not: a *Refusal, or the error of reading its body.
// What it returns is told at the end whether the request was acknowledged. Of several
// refusals the one that says most counts: that a check could not be made, then that somebody
// is known.
func (g *Gate) Admit(r *http.Request, target string) (settle func(acknowledged bool), err error) {
	settle = func(bool) {}
	if g == nil {
		return settle, nil
	}
	if len(r.Header.Values("Authorization")) > 1 {
		return nil, unknown("there are several Authorization headers")
	}
	worst := &Refusal{http.StatusUnauthorized, errors.New("there are no credentials that any method of auth knows")}
	for _, m := range g.methods {
		name, err := m.admit(r, target)
		var refusal *Refusal
		switch {
		case err == nil:
			if s, ok := r.Context().Value(senderKey{}).(*sender); ok {
				s.name = name
			}
			if s, ok := m.(settler); ok {
				settle = func(acknowledged bool) { s.settle(r, acknowledged) }
			}
			return settle, nil
		case errors.Is(err, errAbsent):
		case !errors.As(err, &refusal):
			return nil, err
		case refusal.Status >= worst.Status:
			worst = refusal
		}
	}
	return nil, worst
}

// detached outlives the request, but not by much: several requests may wait for what one asks.
func detached(ctx context.Context, o Options) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), o.Caller.Timeout)
}
