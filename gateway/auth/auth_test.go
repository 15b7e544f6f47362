package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"golang.org/x/crypto/bcrypt"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/auth"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/remediation"
)

// apiServer knows the token "good" for the audience "here", and lets its owner do everything.
type apiServer struct {
	client.Client
	mu              sync.Mutex
	reviews, rights int
	down, forbids   bool
	ignoresAudience bool
}

func (s *apiServer) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errors.New("connection refused")
	}
	switch r := o.(type) {
	case *authenticationv1.TokenReview:
		s.reviews++
		r.Status.User = authenticationv1.UserInfo{Username: "pager", Groups: []string{"senders"}, Extra: map[string]authenticationv1.ExtraValue{"pod": {"a"}}}
		r.Status.Authenticated = r.Spec.Token == "good"
		if !s.ignoresAudience {
			r.Status.Audiences = r.Spec.Audiences
		}
	case *authorizationv1.SubjectAccessReview:
		s.rights++
		a := r.Spec.ResourceAttributes
		r.Status.Allowed = !s.forbids && r.Spec.User == "pager" && r.Spec.Groups[0] == "senders" && r.Spec.Extra["pod"][0] == "a" &&
			a.Verb == "create" && a.Resource == "alerts" && a.Name == "alertmanager"
	}
	return nil
}

// fixture is a gate with what it depends on.
type fixture struct {
	*auth.Gate
	api   *apiServer
	redis *miniredis.Miniredis
	clock *clock.Shifted
	log   *bytes.Buffer
	o     auth.Options
}

func newFixture(t *testing.T, edit func(*config.Auth), more ...func(*auth.Options)) *fixture {
	t.Helper()
	f := &fixture{api: &apiServer{}, redis: miniredis.RunT(t), clock: &clock.Shifted{}, log: &bytes.Buffer{}}
	c := config.Defaults().Auth
	edit(&c)
	db := redis.NewClient(&redis.Options{Addr: f.redis.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = db.Close() })
	f.o = auth.Options{Config: c, Client: f.api, Caller: remediation.Caller{Timeout: 50 * time.Millisecond}, Redis: db, Prefix: "sp:",
		Clock: f.clock, Log: slog.New(slog.NewTextHandler(f.log, nil))}
	for _, m := range more {
		m(&f.o)
	}
	var err error
	if f.Gate, err = auth.New(f.o); err != nil {
		t.Fatal(err)
	}
	return f
}

// send shows a request to the gate; it returns the status that it would be refused with, 0 if
// it is let in, and who it is from then.
func (f *fixture) send(t *testing.T, headers ...string) (status int, source string, settle func(bool)) {
	t.Helper()
	r := auth.Receive(httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("{}")), nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	settle, err := f.Admit(r, "alertmanager")
	var refusal *auth.Refusal
	if errors.As(err, &refusal) {
		return refusal.Status, auth.Source(r.Context()), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, auth.Source(r.Context()), settle
}

func (f *fixture) want(t *testing.T, what string, status int, headers ...string) {
	t.Helper()
	if got, _, _ := f.send(t, headers...); got != status {
		t.Errorf("%s: got %d, want %d", what, got, status)
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func hash(t *testing.T, password string) string {
	t.Helper()
	b, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func basic(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func TestWithoutAMethodEverybodyIsLetIn(t *testing.T) {
	f := newFixture(t, func(*config.Auth) {})
	if f.Gate != nil {
		t.Fatal("there is a gate")
	}
	f.want(t, "no credentials", 0)
}

func tokens(c *config.Auth) { c.TokenReview.Audiences = []string{"here"} }

func TestTokens(t *testing.T) {
	f := newFixture(t, tokens)
	f.want(t, "none", 401)
	f.want(t, "a bad one", 401, "Authorization", "Bearer bad")
	f.want(t, "two headers", 401, "Authorization", "Bearer good", "Authorization", "Bearer good")
	if status, source, _ := f.send(t, "Authorization", "bearer good"); status != 0 || source != "user:pager" {
		t.Errorf("a good one: %d from %q", status, source)
	}
	if f.Challenge() != `Bearer realm="stormproof"` {
		t.Errorf("challenge %q", f.Challenge())
	}
}

func TestATokenIsAskedAboutOnceInItsCachesLife(t *testing.T) {
	f := newFixture(t, tokens)
	for range 3 {
		f.want(t, "good", 0, "Authorization", "Bearer good")
		f.want(t, "bad", 401, "Authorization", "Bearer bad")
	}
	if f.api.reviews != 2 || f.api.rights != 1 {
		t.Errorf("%d reviews and %d questions about rights, want 2 and 1", f.api.reviews, f.api.rights)
	}
	f.clock.Advance(5*time.Second + time.Millisecond)
	f.want(t, "bad, a little later", 401, "Authorization", "Bearer bad")
	f.want(t, "good, a little later", 0, "Authorization", "Bearer good")
	if f.api.reviews != 3 {
		t.Errorf("%d reviews, want 3: that a token is bad is forgotten soon", f.api.reviews)
	}
	f.clock.Advance(30 * time.Second)
	f.want(t, "good, much later", 0, "Authorization", "Bearer good")
	if f.api.reviews != 4 {
		t.Errorf("%d reviews, want 4", f.api.reviews)
	}
}

func TestBadTokensDriveNoGoodOneOut(t *testing.T) {
	f := newFixture(t, func(c *config.Auth) { tokens(c); c.TokenReview.CacheSize = 2 })
	f.want(t, "good", 0, "Authorization", "Bearer good")
	for i := range 10 {
		f.want(t, "bad", 401, "Authorization", fmt.Sprintf("Bearer bad%d", i))
	}
	f.want(t, "good", 0, "Authorization", "Bearer good")
	if f.api.reviews != 11 {
		t.Errorf("%d reviews, want 11", f.api.reviews)
	}
}

func TestAServerThatCannotBeAskedIs503AndIsAskedAgain(t *testing.T) {
	f := newFixture(t, tokens)
	f.api.down = true
	f.want(t, "down", 503, "Authorization", "Bearer good")
	f.api.down = false
	f.want(t, "up", 0, "Authorization", "Bearer good")
	f.api.down = true
	f.want(t, "down, and remembered", 0, "Authorization", "Bearer good")
}

func TestAServerThatKnowsOfNoAudiencesIsNotBelieved(t *testing.T) {
	f := newFixture(t, tokens)
	f.api.ignoresAudience = true
	f.want(t, "good", 401, "Authorization", "Bearer good")
}

func TestAUserWithoutTheRightIsForbidden(t *testing.T) {
	f := newFixture(t, tokens)
	f.api.forbids = true
	f.want(t, "good", 403, "Authorization", "Bearer good")
}

func TestPasswords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	write(t, path, "# who may\n\npager:"+hash(t, "hush")+"\n")
	f := newFixture(t, func(c *config.Auth) { c.Basic.UsersFile = path })
	for range 2 {
		f.want(t, "right", 0, "Authorization", basic("pager", "hush"))
	}
	f.want(t, "wrong", 401, "Authorization", basic("pager", "loud"))
	f.want(t, "unknown", 401, "Authorization", basic("nobody", "hush"))
	f.want(t, "no base64", 401, "Authorization", "Basic !")
	write(t, path, "pager:"+hash(t, "new")+"\n")
	f.want(t, "of before", 401, "Authorization", basic("pager", "hush"))
	f.want(t, "changed", 0, "Authorization", basic("pager", "new"))
	write(t, path, "pager:new\n")
	f.want(t, "a file that is no good", 0, "Authorization", basic("pager", "new"))
	if !strings.Contains(f.log.String(), "auth.basic.usersFile") || strings.Contains(f.log.String(), "hush") {
		t.Errorf("the log says %s", f.log)
	}
}

func TestAnUnknownUserWaitsAsLongAsAKnownOne(t *testing.T) {
	b, err := bcrypt.GenerateFromPassword([]byte("hush"), 10)
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, filepath.Join(t.TempDir(), "users"), "pager:"+string(b))
	f := newFixture(t, func(c *config.Auth) { c.Basic.UsersFile = path })
	took := func(name string) time.Duration {
		least := time.Hour
		for range 3 {
			begin := time.Now()
			f.want(t, name, 401, "Authorization", basic(name, "loud"))
			least = min(least, time.Since(begin))
		}
		return least
	}
	if known, unknown := took("pager"), took("nobody"); unknown < known/2 || unknown > known*2 {
		t.Errorf("a wrong password took %s, an unknown user %s", known, unknown)
	}
}

func TestFilesThatCannotBeUsedAreToldAtTheStart(t *testing.T) {
	good := "pager:" + hash(t, "hush")
	for text, want := range map[string]string{"": "names no user", "pager:hush": "line 1", good + "\n" + good: "line 2", ":" + hash(t, "a"): "line 1"} {
		path := write(t, filepath.Join(t.TempDir(), "users"), text)
		c := config.Auth{Basic: config.Basic{UsersFile: path}}
		if _, err := auth.New(auth.Options{Config: c}); err == nil || !strings.Contains(err.Error(), "auth.basic.usersFile: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{"": "no secret", "whsec_c2hvcnQ=": "24 bytes", "%": "base64"} {
		path := write(t, filepath.Join(t.TempDir(), "secret"), text)
		c := config.Auth{HMAC: config.HMAC{Keys: []config.HMACKey{{Name: "a", File: path}}, Tolerance: time.Minute}}
		if _, err := auth.New(auth.Options{Config: c, Clock: clock.Real{}}); err == nil || !strings.Contains(err.Error(), "auth.hmac.keys[0].file: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if _, err := auth.TLS(config.TLS{CertFile: "no-such-file", KeyFile: "none"}, slog.Default()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestAnyMethodMayLetIn(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "users"), "pager:"+hash(t, "hush"))
	f := newFixture(t, func(c *config.Auth) { tokens(c); c.Basic.UsersFile = path })
	f.want(t, "a password", 0, "Authorization", basic("pager", "hush"))
	f.want(t, "a token", 0, "Authorization", "Bearer good")
	f.want(t, "neither", http.StatusUnauthorized)
	if want := `Bearer realm="stormproof", Basic realm="stormproof", charset="UTF-8"`; f.Challenge() != want {
		t.Errorf("challenge %q, want %q", f.Challenge(), want)
	}
}
