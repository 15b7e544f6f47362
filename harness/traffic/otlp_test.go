package traffic

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

func TestASinkReadsSpans(t *testing.T) {
	text := func(s string) *commonpb.AnyValue {
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
	}
	export, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{
		Name: "redis decide", TraceId: bytes.Repeat([]byte{0xab}, 16), SpanId: []byte{1, 2, 3, 4, 5, 6, 7, 8}, ParentSpanId: []byte{8, 7, 6, 5, 4, 3, 2, 1},
		Kind: tracepb.Span_SPAN_KIND_CLIENT, Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "failed"},
		StartTimeUnixNano: 1_000_000, EndTimeUnixNano: 3_500_000,
		Attributes: []*commonpb.KeyValue{{Key: "outcome", Value: text("failed")}, {Key: "n", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 3}}}},
	}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, post := range []struct {
		body   []byte
		status int
	}{{export, http.StatusOK}, {[]byte("no protobuf"), http.StatusBadRequest}} {
		answer, err := http.Post(s.URL()+"/v1/traces", protobuf, bytes.NewReader(post.body))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != post.status {
			t.Errorf("%q: status %d, want %d", post.body, answer.StatusCode, post.status)
		}
	}
	want := []any{map[string]any{"name": "redis decide", "traceId": "abababababababababababababababab", "spanId": "0102030405060708", "parentId": "0807060504030201",
		"kind": "client", "status": "error", "message": "failed", "attributes": map[string]any{"outcome": "failed", "n": int64(3)}, "resource": map[string]any{}, "durationMs": 2.5}}
	if diff := cmp.Diff(want, s.Spans()); diff != "" {
		t.Error(diff)
	}
}
