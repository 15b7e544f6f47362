package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/cache"
)

// refusedFor is how long a token that was refused is not asked about again: a right that is
// given late, or a token that is valid a moment later, should not wait for a whole cacheTTL.
const refusedFor = 5 * time.Second

// token knows senders by bearer tokens. The API server says whose a token is, and whether he
// may use the configured verb on the configured resource, under the name of what he sends to.
// What it says is remembered for a while, by a hash of the token: so long a token that has
// ended may still be let in, and a storm does not ask for each request. That it cannot be
// asked is never remembered.
type token struct {
	o Options
	// admitted and refused are apart: whoever tries tokens cannot drive out good ones.
	admitted, refused *cache.LRUExpireCache
	asking            singleflight.Group
}

func newToken(o Options) *token {
	size := o.Config.TokenReview.CacheSize
	return &token{o: o, admitted: cache.NewLRUExpireCacheWithClock(size, o.Clock), refused: cache.NewLRUExpireCacheWithClock(size, o.Clock)}
}

func (t *token) challenge() string { return `Bearer realm="stormproof"` }

func (t *token) admit(r *http.Request, target string) (string, error) {
	text, ok := bearer(r.Header.Get("Authorization"))
	if !ok {
		return "", errAbsent
	}
	sum := sha256.Sum256([]byte(target + " " + text))
	key := string(sum[:])
	if name, ok := t.admitted.Get(key); ok {
		return name.(string), nil
	}
	if err, ok := t.refused.Get(key); ok {
		return "", err.(error)
	}
	name, err, _ := t.asking.Do(key, func() (any, error) {
		ctx, cancel := detached(r.Context(), t.o)
		defer cancel()
		return t.ask(ctx, key, text, target)
	})
	if err != nil {
		return "", err
	}
	return name.(string), nil
}

// ask asks the API server, and remembers what it says.
func (t *token) ask(ctx context.Context, key, text, target string) (string, error) {
	c := t.o.Config.TokenReview
	user, err := t.review(ctx, text)
	if err == nil {
		err = t.authorize(ctx, user, target)
	}
	var refusal *Refusal
	switch {
	case err == nil:
		t.admitted.Add(key, user.Username, c.CacheTTL)
	case errors.As(err, &refusal) && refusal.Status != http.StatusServiceUnavailable:
		t.refused.Add(key, err, min(refusedFor, c.CacheTTL))
	}
	return user.Username, err
}

func (t *token) review(ctx context.Context, text string) (authenticationv1.UserInfo, error) {
	audiences := t.o.Config.TokenReview.Audiences
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: text, Audiences: audiences}}
	err := t.o.Caller.Do(ctx, "create", "tokenreviews", func(ctx context.Context) error { return t.o.Client.Create(ctx, review) })
	switch {
	case err != nil:
		return review.Status.User, unavailable("asking the API server about a token: %w", err)
	case !review.Status.Authenticated:
		return review.Status.User, unknown("the API server does not know the token, or not for auth.tokenReview.audiences %q", audiences)
	// An API server that does not know of audiences says of none, and then the token is for it alone.
	case !slices.ContainsFunc(review.Status.Audiences, func(a string) bool { return slices.Contains(audiences, a) }):
		return review.Status.User, unknown("the token is for %q, not for auth.tokenReview.audiences %q", review.Status.Audiences, audiences)
	}
	return review.Status.User, nil
}

func (t *token) authorize(ctx context.Context, user authenticationv1.UserInfo, target string) error {
	a := t.o.Config.TokenReview.Authorization
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range user.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: a.Verb, Group: a.Group, Resource: a.Resource, Namespace: a.Namespace, Name: target}}}
	err := t.o.Caller.Do(ctx, "create", "subjectaccessreviews", func(ctx context.Context) error { return t.o.Client.Create(ctx, review) })
	switch {
	case err != nil:
		return unavailable("asking the API server what %s may do: %w", user.Username, err)
	case !review.Status.Allowed:
		return forbidden("%s may not %s %s.%s %q in namespace %q: give it this right by a role", user.Username, a.Verb, a.Resource, a.Group, target, a.Namespace)
	}
	return nil
}

var bearerToken = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// bearer reads an Authorization header as RFC 6750 has it.
func bearer(header string) (string, bool) {
	scheme, text, _ := strings.Cut(header, " ")
	text = strings.TrimLeft(text, " ")
	return text, strings.EqualFold(scheme, "Bearer") && bearerToken.MatchString(text)
}
