package traffic_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/traffic"
)

const gatewayAnswer = `{"alerts":[
 {"index":0,"verdict":"created","fingerprint":"f0","remediationRequest":{"namespace":"shop","name":"rr-0"},"occurrences":1,"deliveries":1},
 {"index":1,"verdict":"member","storm":"storm-1"}]}`

// serve starts a server with one handler and a client of it that records.
func serve(t *testing.T, h http.HandlerFunc) (*traffic.Client, *recorder) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	log := &recorder{}
	return &traffic.Client{BaseURL: server.URL, HTTP: server.Client(), History: log}, log
}

func TestClientSendsAsAlertmanagerDoes(t *testing.T) {
	var seen *http.Request
	var body []byte
	client, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		seen = r.Clone(context.Background())
		body, _ = io.ReadAll(r.Body)
	})
	_, err := client.Send(t.Context(), traffic.Request{ID: "a", Method: "POST", Path: "/hook", Body: []byte("{}"),
		Headers: map[string]string{"Authorization": "Bearer x"}})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{seen.Method, seen.URL.Path, seen.Header.Get("Content-Type"), seen.Header.Get("Authorization"), string(body)}
	if diff := cmp.Diff([]string{"POST", "/hook", "application/json", "Bearer x", "{}"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheTokenIsSentWhereNoOtherIs(t *testing.T) {
	var got []string
	client, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.Header.Get("Authorization")) })
	for _, token := range []string{"", "t"} {
		client.Token = token
		for _, headers := range []map[string]string{nil, {"authorization": "Basic x"}} {
			if _, err := client.Send(t.Context(), traffic.Request{ID: "a", Method: "POST", Path: "/", Headers: headers}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff([]string{"", "Basic x", "Bearer t", "Basic x"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestClientCompresses(t *testing.T) {
	var encoding, plain string
	client, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		encoding = r.Header.Get("Content-Encoding")
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		plain = string(b)
	})
	if _, err := client.Send(t.Context(), traffic.Request{Method: "POST", Path: "/", Body: []byte("storm"), Gzip: true}); err != nil {
		t.Fatal(err)
	}
	if encoding != "gzip" || plain != "storm" {
		t.Errorf("encoding %q, body %q; want gzip, storm", encoding, plain)
	}
}

func TestClientRecordsTheRequestBeforeTheAnswer(t *testing.T) {
	log := &recorder{}
	recordedFirst := false
	client, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		recordedFirst = len(log.requests()) == 1 && len(log.answers()) == 0
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, gatewayAnswer)
	})
	client.History = log
	alerts := []history.Alert{{Index: 0, Labels: map[string]string{"alertname": "A"}}}
	resp, err := client.Send(t.Context(), traffic.Request{ID: "a-1", Name: "a", Method: "POST", Path: "/", Alerts: alerts})
	if err != nil {
		t.Fatal(err)
	}
	if !recordedFirst {
		t.Error("the request was not in the history when the server saw it")
	}
	want := history.Answer{ID: "a-1", Status: 201, RetryAfter: "3", ContentType: "application/json", Verdicts: []history.Verdict{
		{Index: 0, Verdict: "created", Fingerprint: "f0", Namespace: "shop", Name: "rr-0", Occurrences: 1, Deliveries: 1},
		{Index: 1, Verdict: "member", Storm: "storm-1"}}}
	if diff := cmp.Diff([]history.Answer{want}, log.answers(), cmpopts.IgnoreFields(history.Answer{}, "Latency")); diff != "" {
		t.Error(diff)
	}
	if resp.Latency <= 0 || string(resp.Body) != gatewayAnswer {
		t.Errorf("latency %s, body %q", resp.Latency, resp.Body)
	}
	if diff := cmp.Diff(alerts, log.requests()[0].Alerts); diff != "" {
		t.Error(diff)
	}
}

func TestARequestWithoutAnAnswerHasStatusZero(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"the connection breaks": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"the body breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, log := serve(t, h)
			resp, err := client.Send(t.Context(), traffic.Request{ID: "a", Method: "POST", Path: "/"})
			if err != nil {
				t.Fatalf("a lost answer is not an error of the harness: %v", err)
			}
			if a := log.answers()[0]; resp.Status != 0 || a.Status != 0 || a.Error == "" {
				t.Errorf("response %+v, recorded %+v; want status 0 and an error", resp.Answer, a)
			}
		})
	}
}

func TestADeadlineIsAnAnswerThatNeverCame(t *testing.T) {
	release := make(chan struct{})
	client, _ := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begin := time.Now()
	resp, err := client.Send(ctx, traffic.Request{Method: "POST", Path: "/"})
	// The deadline is older than the request, so its latency may be a little less than 20 ms.
	if took := time.Since(begin); err != nil || resp.Status != 0 || resp.Latency <= 0 || resp.Latency > took || ctx.Err() == nil {
		t.Errorf("response %+v after %s, error %v", resp.Answer, took, err)
	}
}

func TestWithoutAHistoryNothingIsRecorded(t *testing.T) {
	client, _ := serve(t, func(http.ResponseWriter, *http.Request) {})
	client.History = nil
	if resp, err := client.Send(t.Context(), traffic.Request{Method: "POST", Path: "/"}); err != nil || resp.Status != 200 {
		t.Errorf("response %+v, error %v", resp.Answer, err)
	}
}

func TestAFailingRecorderStopsTheRequest(t *testing.T) {
	sent := false
	client, log := serve(t, func(http.ResponseWriter, *http.Request) { sent = true })
	log.fail = errors.New("disk full")
	if _, err := client.Send(t.Context(), traffic.Request{Method: "POST", Path: "/"}); !errors.Is(err, log.fail) || sent {
		t.Errorf("error %v, sent %v; want the recorder's error and nothing sent", err, sent)
	}
}

func TestParseAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want history.Answer
	}{
		"a problem":           {`{"type":"urn:stormproof:problem:redis"}`, history.Answer{Status: 503, Problem: "urn:stormproof:problem:redis"}},
		"no JSON":             {`<html>`, history.Answer{Status: 503}},
		"JSON of other shape": {`[1]`, history.Answer{Status: 503}},
		"empty":               {``, history.Answer{Status: 503}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, traffic.ParseAnswer(503, http.Header{}, []byte(c.body))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSeenMergesCommonLabels(t *testing.T) {
	p := traffic.NewPayload([]traffic.Alert{
		{Status: "firing", Labels: map[string]string{"alertname": "A", "team": "own"}},
		{Status: "resolved", Labels: map[string]string{"alertname": "B"}, Malformed: true}})
	p.CommonLabels = map[string]string{"team": "common"}
	want := []history.Alert{{Index: 0, Labels: map[string]string{"alertname": "A", "team": "own"}},
		{Index: 1, Labels: map[string]string{"alertname": "B", "team": "common"}, Resolved: true, Malformed: true}}
	if diff := cmp.Diff(want, p.Seen()); diff != "" {
		t.Error(diff)
	}
	if p.Status != "firing" || traffic.NewPayload(nil).Status != "resolved" {
		t.Errorf("status %q with a firing alert, %q without", p.Status, traffic.NewPayload(nil).Status)
	}
}
