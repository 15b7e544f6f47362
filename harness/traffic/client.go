package traffic

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

// Recorder takes events for a history.
type Recorder interface{ Add(history.Event) error }

// Request is one webhook to send.
type Request struct {
	// ID is unique in the history; Name is the step's id.
	ID, Name     string
	Method, Path string
	Headers      map[string]string
	Body         []byte
	Gzip         bool
	// HeaderPace sends headers that never end at this many bytes a second, BodyPace the body;
	// 0 is as fast as it goes.
	HeaderPace, BodyPace int
	// LeaveAfter breaks the connection after this time; 0 is never.
	LeaveAfter time.Duration
	// Alerts is what the body holds; nil with Opaque for a body that is no payload.
	Alerts  []history.Alert
	Opaque  bool
	RetryOf string
}

// Response is an answer, or the lack of one.
type Response struct {
	history.Answer
	Header http.Header
	Body   []byte
	// Certificate is the common name of the server's certificate, "" without TLS.
	Certificate string
}

// Client sends requests and records both directions.
type Client struct {
	// BaseURL has no trailing slash.
	BaseURL string
	HTTP    *http.Client
	// Token is sent as a bearer token with each request that has no Authorization of its own;
	// "" for none.
	Token string
	// History may be nil: then nothing is recorded.
	History Recorder
}

// Send posts once. Its error is about the harness only; a refused or lost request is a
// Response.
func (c *Client) Send(ctx context.Context, r Request) (Response, error) {
	if r.Gzip { // before the clock starts: packing is not the system's time
		var err error
		if r.Body, err = gzipped(r.Body); err != nil {
			return Response{}, err
		}
	}
	err := c.record(history.Event{Request: &history.Request{ID: r.ID, Name: r.Name,
		Method: r.Method, Path: r.Path, Alerts: r.Alerts, Opaque: r.Opaque, RetryOf: r.RetryOf, Leaves: r.leaves()}})
	if err != nil {
		return Response{}, fmt.Errorf("recording request %s: %w", r.ID, err)
	}
	begin := time.Now()
	resp, err := c.exchangeAs(ctx, r)
	resp.ID, resp.Latency = r.ID, time.Since(begin)
	if err != nil {
		resp.Answer = history.Answer{ID: r.ID, Latency: resp.Latency, Error: err.Error(), Barred: barred(err)}
	}
	answer := resp.Answer
	if err := c.record(history.Event{Answer: &answer}); err != nil {
		return resp, fmt.Errorf("recording answer of %s: %w", r.ID, err)
	}
	return resp, nil
}

// barred tells an alert of TLS from the server.
func barred(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

func (c *Client) record(e history.Event) error {
	if c.History == nil {
		return nil
	}
	return c.History.Add(e)
}

func (c *Client) exchange(ctx context.Context, r Request) (Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, c.BaseURL+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, fmt.Errorf("building request: %w", err)
	}
	if r.BodyPace > 0 {
		req.Body, req.GetBody = io.NopCloser(&paced{ctx: ctx, body: r.Body, perSecond: r.BodyPace}), nil
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Alertmanager/stormproof")
	if r.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for k, v := range r.Headers {
		req.Header.Set(k, v)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return Response{}, err
	}
	b, err := io.ReadAll(res.Body)
	err = errors.Join(err, res.Body.Close())
	if err != nil {
		return Response{}, fmt.Errorf("reading answer: %w", err)
	}
	out := Response{Answer: ParseAnswer(res.StatusCode, res.Header, b), Header: res.Header, Body: b}
	if res.TLS != nil {
		out.Certificate = res.TLS.PeerCertificates[0].Subject.CommonName
	}
	return out, nil
}

func gzipped(b []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("compressing body: %w", err)
	}
	return buf.Bytes(), nil
}

// ParseAnswer reads what the contract says an answer holds; a body of another shape just
// yields no verdicts, and the judge notices.
func ParseAnswer(status int, header http.Header, body []byte) history.Answer {
	a := history.Answer{Status: status, RetryAfter: header.Get("Retry-After"),
		ContentType: header.Get("Content-Type")}
	var doc struct {
		Type   string `json:"type"`
		Alerts []struct {
			Index       int    `json:"index"`
			Verdict     string `json:"verdict"`
			Fingerprint string `json:"fingerprint"`
			Storm       string `json:"storm"`
			Object      struct {
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"remediationRequest"`
			Occurrences     int64 `json:"occurrences"`
			Deliveries      int64 `json:"deliveries"`
			Renotifications int64 `json:"renotifications"`
		} `json:"alerts"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return a
	}
	a.Problem = doc.Type
	for _, v := range doc.Alerts {
		a.Verdicts = append(a.Verdicts, history.Verdict{Index: v.Index, Verdict: v.Verdict,
			Fingerprint: v.Fingerprint, Namespace: v.Object.Namespace, Name: v.Object.Name,
			Storm: v.Storm, Occurrences: v.Occurrences, Deliveries: v.Deliveries, Renotifications: v.Renotifications})
	}
	return a
}
