package traffic

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/stormproof/stormproof/harness/fault"
)

func openSink(t *testing.T) *Sink {
	t.Helper()
	before := goleak.IgnoreCurrent()
	s, err := NewSink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, before)
	})
	return s
}

func deliver(ctx context.Context, t *testing.T, s *Sink, body string) (int, http.Header, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.URL()+"/in?q=1", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Token", "t")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	return res.StatusCode, res.Header, res.Body.Close()
}

func TestASinkRecordsWhatItIsSent(t *testing.T) {
	g := NewWithT(t)
	s := openSink(t)
	for _, body := range []string{`{"a": [1]}`, "plain"} {
		status, _, err := deliver(t.Context(), t, s, body)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(status).To(Equal(http.StatusOK))
	}
	got := s.Received()
	g.Expect(got).To(HaveLen(2))
	g.Expect(got[0].Method + " " + got[0].Path).To(Equal("PUT /in?q=1"))
	g.Expect(got[0].Headers).To(HaveKeyWithValue("x-token", "t"))
	g.Expect(got[0].Body).To(Equal(map[string]any{"a": []any{1.0}}))
	g.Expect(got[1].Body).To(Equal("plain"))
	g.Expect(got[1].Status).To(Equal(http.StatusOK))
	g.Expect(got[1].At).To(BeNumerically(">", got[0].At))
}

func TestASinkRefusesAsOftenAsTheFaultSaysAndKeepsTheReceipt(t *testing.T) {
	g := NewWithT(t)
	s := openSink(t)
	h, err := s.Arm(t.Context(), fault.Spec{ID: "down", Target: fault.Sink, Kind: fault.Status, Code: 503, RetryAfter: 7, After: 1, Times: 2})
	g.Expect(err).NotTo(HaveOccurred())
	var seen []int
	for range 4 {
		status, header, err := deliver(t.Context(), t, s, "x")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(header.Get("Retry-After")).To(Equal(map[int]string{200: "", 503: "7"}[status]))
		seen = append(seen, status)
	}
	g.Expect(seen).To(Equal([]int{200, 503, 503, 200}))
	g.Expect(h.Receipt()).To(Equal(fault.Receipt{ID: "down", Target: fault.Sink, Kind: fault.Status, Planned: 2, Matched: 4, Applied: 2}))
	g.Expect(h.Remove(t.Context())).To(Succeed())
}

func TestASinkThatHangsIsRecordedAndLetsGoWhenTheFaultIsRemoved(t *testing.T) {
	g := NewWithT(t)
	s := openSink(t)
	h, err := s.Arm(t.Context(), fault.Spec{ID: "stuck", Target: fault.Sink, Kind: fault.Hang})
	g.Expect(err).NotTo(HaveOccurred())
	done := make(chan error, 1)
	go func() {
		_, _, err := deliver(context.WithoutCancel(t.Context()), t, s, "x")
		done <- err
	}()
	g.Eventually(s.Received).Should(HaveLen(1))
	g.Consistently(done, 50*time.Millisecond).ShouldNot(Receive())
	g.Expect(h.Remove(t.Context())).To(Succeed())
	g.Eventually(done).Should(Receive(HaveOccurred()), "it never gets an answer")
	g.Expect(s.Received()[0].Status).To(BeZero())
}

func TestASinkTakesOnlyFaultsOfItsOwn(t *testing.T) {
	s := openSink(t)
	for _, spec := range []fault.Spec{
		{ID: "a", Target: fault.Redis, Kind: fault.Hang},
		{ID: "b", Target: fault.Sink, Kind: fault.Cut},
		{ID: "c", Target: fault.Sink, Kind: fault.Status, Code: 200},
		{ID: "d", Target: fault.Sink, Kind: fault.Hang, Match: fault.Match{Verb: "get"}},
	} {
		_, err := s.Arm(t.Context(), spec)
		var wrong *fault.SpecError
		NewWithT(t).Expect(err).To(BeAssignableToTypeOf(wrong), spec.ID)
	}
}
