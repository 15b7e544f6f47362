package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"golang.org/x/crypto/bcrypt"

	"github.com/stormproof/stormproof/gateway/auth"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/server/mocks"
)

// guarded is a server that knows the user pager, with the password hush.
func guarded(t *testing.T, p Processor) *Server {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("hush"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, append([]byte("pager:"), hash...), 0o600); err != nil {
		t.Fatal(err)
	}
	gate, err := auth.New(auth.Options{Config: config.Auth{Basic: config.Basic{UsersFile: path}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(p)
	s.Authenticate(gate)
	return s
}

func TestOnlyWhoIsKnownMaySendAlerts(t *testing.T) {
	as := func(password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth("pager", password) }
	}
	if w := post(t, guarded(t, verdictsOf(t, nil, intake.Created)).Public(), webhook, as("hush")); w.Code != http.StatusCreated {
		t.Errorf("known: got %d %s", w.Code, w.Body)
	}
	w := post(t, guarded(t, mocks.NewProcessor(t)).Public(), webhook, as("loud"))
	if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" || !strings.Contains(w.Body.String(), `"urn:stormproof:problem:unauthenticated"`) {
		t.Errorf("unknown: got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if strings.Contains(w.Body.String(), "password") || strings.Contains(w.Body.String(), "pager") {
		t.Errorf("the answer says too much: %s", w.Body)
	}
	_, router := document(t)
	r := httptest.NewRequestWithContext(t.Context(), "POST", route, strings.NewReader(webhook))
	found, params, err := router.FindRoute(r)
	if err != nil {
		t.Fatal(err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: found},
		Status: w.Code, Header: w.Header(), Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	if err := openapi3filter.ValidateResponse(context.Background(), out.SetBodyBytes(w.Body.Bytes())); err != nil {
		t.Errorf("the document does not know the answer: %v", err)
	}
}

func TestProbesNeedNoCredentials(t *testing.T) {
	for _, path := range []string{"/healthz", "/readyz", "/api/v1/openapi.yaml"} {
		if w := get(t, guarded(t, mocks.NewProcessor(t)).Public(), path); w.Code != http.StatusOK {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}
