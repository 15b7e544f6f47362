package traffic_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/traffic"
)

func TestASlowBodyArrivesWholeAndInItsTime(t *testing.T) {
	var got string
	var length int64
	client, log := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, length = string(b), r.ContentLength
	})
	resp, err := client.Send(t.Context(), traffic.Request{Method: "POST", Path: "/", Body: []byte("0123456789"), BodyPace: 40})
	if err != nil || resp.Status != 200 || got != "0123456789" || length != 10 {
		t.Errorf("%+v, %v; the server read %q of %d", resp.Answer, err, got, length)
	}
	if resp.Latency < 200*time.Millisecond {
		t.Errorf("10 bytes at 40 a second took %s", resp.Latency)
	}
	if log.requests()[0].Leaves {
		t.Error("a slow sender still wants its answer")
	}
}

func TestWhoLeavesBreaksTheConnection(t *testing.T) {
	left := make(chan struct{})
	client, log := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		<-r.Context().Done()
		close(left)
	})
	resp, err := client.Send(t.Context(), traffic.Request{Method: "POST", Path: "/", Body: []byte("{}"), LeaveAfter: 20 * time.Millisecond})
	if err != nil || resp.Status != 0 {
		t.Errorf("%+v, %v", resp.Answer, err)
	}
	<-left
	if !log.requests()[0].Leaves {
		t.Error("the history does not know that the sender left on purpose")
	}
}

func TestHeadersThatNeverEndEndWithTheServersPatience(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the headers were whole") }))
	server.Config.ReadHeaderTimeout = 200 * time.Millisecond
	server.Start()
	defer server.Close()
	log := &recorder{}
	client := &traffic.Client{BaseURL: server.URL, HTTP: server.Client(), History: log}
	begin := time.Now()
	resp, err := client.Send(t.Context(), traffic.Request{Method: "POST", Path: "/", HeaderPace: 100})
	if err != nil || resp.Status != 0 || log.answers()[0].Error == "" || !log.requests()[0].Leaves {
		t.Errorf("%+v, %v", resp.Answer, err)
	}
	if took := time.Since(begin); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %s, want 200ms", took)
	}
	client.BaseURL = "http://127.0.0.1:1"
	var refused *net.OpError
	if resp, err := client.Send(t.Context(), traffic.Request{Method: "POST", Path: "/", HeaderPace: 1}); err != nil || resp.Status != 0 || errors.As(err, &refused) {
		t.Errorf("a refused connection is an answer that never came: %+v, %v", resp.Answer, err)
	}
}
