package traffic_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stormproof/stormproof/harness/traffic"
)

// tapped starts a tap in front of a handler.
func tapped(t *testing.T, h http.HandlerFunc, onResponse func(traffic.Response)) (*traffic.Tap, *recorder) {
	t.Helper()
	client, log := serve(t, h)
	tap, err := traffic.NewTap(t.Context(), client, "am", onResponse)
	if err != nil {
		t.Fatal(err)
	}
	return tap, log
}

// reply is what a client of the tap got.
type reply struct {
	status int
	header http.Header
	body   string
}

func post(t *testing.T, url, body string) (reply, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}, nil
}

func TestTapPassesBothWaysAndRecords(t *testing.T) {
	var got string
	var mu sync.Mutex
	var told []int
	tap, log := tapped(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + string(b)
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"type":"urn:x"}`)
	}, func(r traffic.Response) { mu.Lock(); told = append(told, r.Status); mu.Unlock() })
	body := `{"alerts":[{"status":"firing","labels":{"alertname":"A"}}]}`
	res, err := post(t, tap.URL()+"/hook", body)
	if err != nil {
		t.Fatal(err)
	}
	if err := tap.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got != "POST /hook "+body {
		t.Errorf("the gateway got %q", got)
	}
	if res.status != http.StatusServiceUnavailable || res.header.Get("Retry-After") != "7" || res.header.Get("Content-Type") != "application/problem+json" || res.body != `{"type":"urn:x"}` {
		t.Errorf("the client got %d %v %q", res.status, res.header, res.body)
	}
	requests := log.requests()
	if len(requests) != 1 || requests[0].ID != "am-1" || requests[0].Alerts[0].Labels["alertname"] != "A" || len(log.answers()) != 1 {
		t.Errorf("recorded %+v", requests)
	}
	if len(told) != 1 || told[0] != http.StatusServiceUnavailable {
		t.Errorf("told %v, want [503]", told)
	}
}

func TestTapMarksABodyThatIsNoPayload(t *testing.T) {
	tap, log := tapped(t, func(http.ResponseWriter, *http.Request) {}, nil)
	if _, err := post(t, tap.URL(), "not json"); err != nil {
		t.Fatal(err)
	}
	if err := tap.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := log.requests(); len(r) != 1 || !r[0].Opaque || r[0].Alerts != nil {
		t.Errorf("recorded %+v, want one opaque request", r)
	}
}

func TestTapBreaksTheConnectionWhenTheGatewayDid(t *testing.T) {
	tap, log := tapped(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil)
	if _, err := post(t, tap.URL(), "{}"); err == nil {
		t.Error("the client got an answer that the gateway never gave")
	}
	if err := tap.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := log.answers(); len(a) != 1 || a[0].Status != 0 {
		t.Errorf("recorded %+v, want one answer with status 0", a)
	}
}

func TestTapNumbersRequestsThatComeAtOnce(t *testing.T) {
	tap, log := tapped(t, func(http.ResponseWriter, *http.Request) {}, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := post(t, tap.URL(), "{}"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := tap.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, r := range log.requests() {
		ids[r.ID] = true
	}
	if len(ids) != 20 {
		t.Errorf("%d different ids for 20 requests", len(ids))
	}
}

func TestTapReportsAFailingRecorderWhenItIsClosed(t *testing.T) {
	tap, log := tapped(t, func(http.ResponseWriter, *http.Request) {}, nil)
	log.fail = errors.New("disk full")
	if _, err := post(t, tap.URL(), "{}"); err == nil {
		t.Error("the tap answered although it could not record")
	}
	if err := tap.Close(t.Context()); !errors.Is(err, log.fail) {
		t.Errorf("close: %v, want %v", err, log.fail)
	}
}
