package system

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"
)

// named answers with its name and what it was sent.
func named(t *testing.T, name string, count *atomic.Int64) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		w.Header().Set("X-Path", r.URL.RequestURI())
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, name+":"+string(b))
	}))
	t.Cleanup(s.Close)
	return s
}

func balance(t *testing.T, urls ...string) *Balancer {
	t.Helper()
	b, err := NewBalancer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := b.Set(urls); err != nil {
		t.Fatal(err)
	}
	return b
}

func send(t *testing.T, base, body string) (string, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(base+"/hook?x=1", "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.Header.Get("X-Path") != "/hook?x=1" || res.StatusCode != http.StatusAccepted {
		t.Errorf("the answer lost its path or status: %v %s", res.Header, res.Status)
	}
	return string(b), err
}

func TestRequestsGoToTheReplicasInTurn(t *testing.T) {
	g := NewWithT(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	var count atomic.Int64
	b := balance(t, named(t, "a", &count).URL, named(t, "b", &count).URL, named(t, "c", &count).URL)
	var got []string
	for range 6 {
		s, err := send(t, b.URL(), "1")
		g.Expect(err).NotTo(HaveOccurred())
		got = append(got, s)
	}
	g.Expect(got).To(Equal([]string{"a:1", "b:1", "c:1", "a:1", "b:1", "c:1"}))
}

func TestARefusedConnectionGoesToTheNextReplicaWithItsBody(t *testing.T) {
	g := NewWithT(t)
	var count atomic.Int64
	dead := httptest.NewServer(nil)
	dead.Close()
	b := balance(t, dead.URL, named(t, "b", &count).URL)
	for range 10 {
		g.Expect(send(t, b.URL(), "whole")).To(Equal("b:whole"))
	}
	g.Expect(count.Load()).To(Equal(int64(10)))
}

func TestARequestThatAReplicaHasSeenIsNeverGivenToAnother(t *testing.T) {
	g := NewWithT(t)
	var count, seen atomic.Int64
	dying := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		seen.Add(1)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(dying.Close)
	b := balance(t, dying.URL, named(t, "b", &count).URL)
	_, err := send(t, b.URL(), "once")
	g.Expect(err).To(HaveOccurred(), "the client must learn that nobody answered")
	g.Expect(seen.Load()).To(Equal(int64(1)))
	g.Expect(count.Load()).To(BeZero())
	g.Expect(send(t, b.URL(), "next")).To(Equal("b:next"), "the next request has its turn at the next replica")
}

func TestWithoutAReplicaTheConnectionBreaks(t *testing.T) {
	b := balance(t)
	_, err := send(t, b.URL(), "x")
	NewWithT(t).Expect(err).To(HaveOccurred())
}
