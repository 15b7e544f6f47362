package play

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stormproof/stormproof/harness/internal/wait"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/traffic"
)

// presented are the credentials that were used in a world.
type presented struct {
	mu sync.Mutex
	// tokens are those of service accounts, by account and audience.
	tokens map[scenario.TokenOf]string
	// headers are those of the first request of each step.
	headers map[string]map[string]string
}

// revokedWithin is longer than an API server remembers that a token is good, which is 10 s.
const revokedWithin = 30 * time.Second

// tokenSeconds is long enough for every scenario; the API server gives none for less than ten minutes.
const tokenSeconds = 3600

// show gives requests the headers that say who sends them.
func (w *world) show(ctx context.Context, s *scenario.Send, requests []traffic.Request) error {
	for i := range requests {
		headers, err := w.credentials(ctx, s.As, requests[i])
		if err != nil {
			return err
		}
		if i == 0 {
			w.presented.mu.Lock()
			w.presented.headers[s.ID] = headers
			w.presented.mu.Unlock()
		}
		all := maps.Clone(headers)
		maps.Copy(all, requests[i].Headers) // what a scenario writes itself wins
		requests[i].Headers = all
	}
	return nil
}

func (w *world) credentials(ctx context.Context, as *scenario.As, r traffic.Request) (map[string]string, error) {
	switch {
	case as.Token != nil:
		token, err := w.token(ctx, *as.Token)
		return map[string]string{"Authorization": "Bearer " + token}, err
	case as.Basic != nil:
		pair := w.expand(as.Basic.User, 0) + ":" + w.expand(as.Basic.Password, 0)
		return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}, nil
	case as.HMAC != nil:
		return w.sign(as.HMAC, r), nil
	case as.Again != "":
		w.presented.mu.Lock()
		defer w.presented.mu.Unlock()
		return w.presented.headers[as.Again], nil
	}
	return map[string]string{}, nil
}

// sign signs a request as Standard Webhooks have it.
func (w *world) sign(as *scenario.HMACOf, r traffic.Request) map[string]string {
	id := as.ID
	if id == "" {
		id = "msg_" + strings.TrimSuffix(r.ID, "/1")
	}
	stamp := strconv.FormatInt(w.now().Add(as.Ahead.D()-as.Age.D()).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(w.secrets[as.Secret].value))
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(r.Body)
	return map[string]string{"webhook-id": id, "webhook-timestamp": stamp,
		"webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}

// token is what the API server makes for a service account, once for each audience. It is
// searched for afterwards, as every secret.
func (w *world) token(ctx context.Context, of scenario.TokenOf) (string, error) {
	w.presented.mu.Lock()
	defer w.presented.mu.Unlock()
	if t := w.presented.tokens[of]; t != "" {
		return t, nil
	}
	seconds := int64(tokenSeconds)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	if of.Audience != "" {
		request.Spec.Audiences = []string{of.Audience}
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespaces[0], Name: of.ServiceAccount}}
	if err := w.kube.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("asking for a token of service account %s: %w", of.ServiceAccount, err)
	}
	w.presented.tokens[of] = request.Status.Token
	w.search.also("token of "+of.ServiceAccount+" for "+of.Audience, request.Status.Token)
	return request.Status.Token, nil
}

// revoke deletes a service account, and waits until its tokens are worth nothing.
func (w *world) revoke(ctx context.Context, name string) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespaces[0], Name: name}}
	if err := w.kube.Delete(ctx, account); err != nil {
		return fmt.Errorf("deleting service account %s: %w", name, err)
	}
	var errs []error
	for of, token := range w.tokensOf(name) {
		errs = append(errs, wait.Until(ctx, "the API server refuses the tokens of "+name, revokedWithin, 100*time.Millisecond, func(ctx context.Context) wait.Look {
			review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
			if of.Audience != "" {
				review.Spec.Audiences = []string{of.Audience}
			}
			err := w.kube.Create(ctx, review)
			return wait.Look{Done: err == nil && !review.Status.Authenticated, Err: err}
		}))
	}
	return errors.Join(errs...)
}

func (w *world) tokensOf(name string) map[scenario.TokenOf]string {
	w.presented.mu.Lock()
	defer w.presented.mu.Unlock()
	out := map[scenario.TokenOf]string{}
	for of, token := range w.presented.tokens {
		if of.ServiceAccount == name {
			out[of] = token
		}
	}
	return out
}
