package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/server/mocks"
)

const eventRoute = "/api/v1/alerts/kubernetes-event"

// backOff is an Event of core/v1 that is a warning; calm is one that is none.
const (
	backOff = `{"apiVersion":"v1","kind":"Event","metadata":{"uid":"u"},"type":"Warning","reason":"BackOff","count":1,` +
		`"lastTimestamp":"2026-01-02T03:04:05Z","involvedObject":{"kind":"Pod","namespace":"shop","name":"api-1"}}`
	calm = `{"apiVersion":"v1","kind":"Event","type":"Normal","reason":"Pulled"}`
)

// document is the API's description as it is served.
func document(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	w := get(t, newServer(mocks.NewProcessor(t)).Public(), "/api/v1/openapi.yaml")
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc) // it validates the document
	if err != nil {
		t.Fatal(err)
	}
	return doc, router
}

func TestTheOpenAPIDocumentHasExactlyTheServersRoutes(t *testing.T) {
	doc, _ := document(t)
	var served, described []string
	for _, r := range newServer(mocks.NewProcessor(t)).routes() {
		served = append(served, r.method+" "+r.path)
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	slices.Sort(served)
	slices.Sort(described)
	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("the server (-) and openapi.yaml (+) differ: add what is missing\n%s", diff)
	}
}

func TestTheOpenAPIDocumentHasExactlyTheReasons(t *testing.T) {
	doc, _ := document(t)
	var described []string
	for _, r := range doc.Components.Schemas["Verdict"].Value.Properties["reason"].Value.Enum {
		described = append(described, r.(string))
	}
	if diff := cmp.Diff(refusalReasons(), described); diff != "" {
		t.Errorf("the gateway (-) and openapi.yaml (+) differ\n%s", diff)
	}
}

// verdictsOf is a processor that gives these verdicts, by index.
func verdictsOf(t *testing.T, err error, kinds ...string) *mocks.Processor {
	t.Helper()
	var out []intake.Verdict
	for i, k := range kinds {
		out = append(out, intake.Verdict{Index: i, Verdict: k, Fingerprint: strings.Repeat("a", 64), Namespace: "n", Name: "rr", Storm: "s", Occurrences: 1, Deliveries: 2, Renotifications: 1})
	}
	return says(t, out, err)
}

// TestEveryAnswerIsAsTheOpenAPIDocumentSays drives the handlers; wrong says that the
// document, too, refuses the request.
func TestEveryAnswerIsAsTheOpenAPIDocumentSays(t *testing.T) {
	_, router := document(t)
	for name, tc := range map[string]struct {
		method, path, body, contentType string
		processor                       *mocks.Processor
		status                          int
		wrong                           bool
	}{
		"an opened incident":      {"POST", route, webhook, "", verdictsOf(t, nil, intake.Created), 201, false},
		"nothing new":             {"POST", route, webhook, "", verdictsOf(t, nil, intake.Duplicate), 202, false},
		"a refused neighbour":     {"POST", route, nameless, "", verdictsOf(t, nil, intake.Member), 202, false},
		"Redis away":              {"POST", route, webhook, "", verdictsOf(t, &intake.RedisError{Err: errors.New("x")}), 503, false},
		"one for another day":     {"POST", route, nameless, "", verdictsOf(t, &intake.RetryError{Verdicts: []intake.Verdict{{Index: 1, Verdict: intake.Refused, Reason: "quota-exceeded", Retryable: true}}, Err: errors.New("x")}), 503, false},
		"one refused for good":    {"POST", route, webhook, "", says(t, []intake.Verdict{{Verdict: intake.Refused, Reason: "admission-denied"}}, nil), 422, false},
		"not JSON":                {"POST", route, "{", "", nil, 400, true},
		"no alerts":               {"POST", route, `{"alerts":7}`, "", nil, 422, true},
		"an alert without a time": {"POST", route, `{"alerts":[{"labels":{"alertname":"A"}}]}`, "", nil, 422, true},
		"a label of a number":     {"POST", route, `{"alerts":[{"labels":{"alertname":1},"startsAt":"2026-01-02T03:04:05Z"}]}`, "", nil, 422, true},
		"another version":         {"POST", route, `{"version":"3","alerts":[]}`, "", nil, 422, true},
		"too large":               {"POST", route, `{"alerts":[]` + strings.Repeat(" ", 4096) + `}`, "", nil, 413, false},
		"another media type":      {"POST", route, webhook, "text/plain", nil, 415, true},
		"a warning":               {"POST", eventRoute, backOff, "", verdictsOf(t, nil, intake.Created), 201, false},
		"a list of events":        {"POST", eventRoute, `{"apiVersion":"v1","kind":"EventList","items":[` + backOff + `]}`, "", verdictsOf(t, nil, intake.Created), 201, false},
		"an array of events":      {"POST", eventRoute, `[` + calm + `]`, "", nil, 202, false},
		"an event of no kind":     {"POST", eventRoute, `{"type":"Warning","reason":"BackOff"}`, "", nil, 422, true},
		"a pod for an event":      {"POST", eventRoute, `{"kind":"Pod"}`, "", nil, 422, true},
		"alive":                   {"GET", "/healthz", "", "", nil, 200, false},
		"ready":                   {"GET", "/readyz", "", "", nil, 200, false},
		"the document":            {"GET", "/api/v1/openapi.yaml", "", "", nil, 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			var p Processor = tc.processor
			if tc.processor == nil {
				p = mocks.NewProcessor(t)
			}
			request := func() *http.Request {
				r := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader(tc.body))
				if tc.body != "" {
					r.Header.Set("Content-Type", "application/json")
				}
				if tc.contentType != "" {
					r.Header.Set("Content-Type", tc.contentType)
				}
				return r
			}
			found, params, err := router.FindRoute(request())
			if err != nil {
				t.Fatal(err)
			}
			in := &openapi3filter.RequestValidationInput{Request: request(), PathParams: params, Route: found}
			if err := openapi3filter.ValidateRequest(context.Background(), in); (err != nil) != tc.wrong {
				t.Errorf("the document says of the request: %v; want an error: %t", err, tc.wrong)
			}
			w := httptest.NewRecorder()
			newServer(p).Public().ServeHTTP(w, request())
			if w.Code != tc.status {
				t.Fatalf("got %d %s, want %d", w.Code, w.Body, tc.status)
			}
			out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: w.Code, Header: w.Header(),
				Options: &openapi3filter.Options{IncludeResponseStatus: true}}
			if err := openapi3filter.ValidateResponse(context.Background(), out.SetBodyBytes(w.Body.Bytes())); err != nil {
				t.Errorf("the document does not know the answer %d %s: %v", w.Code, w.Body, err)
			}
		})
	}
}

func TestNormalEventsAreIgnoredBesideWarnings(t *testing.T) {
	p := verdictsOf(t, nil, intake.Created)
	p.ExpectedCalls[0].ReturnArguments = mock.Arguments{[]intake.Verdict{{Index: 1, Verdict: intake.Created}}, nil}
	s := newServer(p)
	r := httptest.NewRequestWithContext(t.Context(), "POST", eventRoute, strings.NewReader("["+calm+","+backOff+"]"))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Public().ServeHTTP(w, r)
	if w.Code != 201 || !strings.Contains(w.Body.String(), `{"counts":{"created":1,"ignored":1},"alerts":[{"index":0,"verdict":"ignored"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if sent := p.Calls[0].Arguments.Get(1).([]alert.Alert); len(sent) != 1 || sent[0].Index != 1 {
		t.Errorf("the processor got %+v, want the warning alone", sent)
	}
}
