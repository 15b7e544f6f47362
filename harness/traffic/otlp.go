package traffic

import (
	"encoding/hex"
	"fmt"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// protobuf is the content type of spans that are exported by OTLP over HTTP.
const protobuf = "application/x-protobuf"

// spansOf reads an export of spans: plain maps, as expressions want them.
func spansOf(body []byte) ([]any, error) {
	var data tracepb.TracesData
	if err := proto.Unmarshal(body, &data); err != nil {
		return nil, fmt.Errorf("reading spans: %w", err)
	}
	out := []any{}
	for _, of := range data.ResourceSpans {
		resource := attributes(of.GetResource().GetAttributes())
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				out = append(out, map[string]any{"name": s.Name, "traceId": hex.EncodeToString(s.TraceId), "spanId": hex.EncodeToString(s.SpanId),
					"parentId": hex.EncodeToString(s.ParentSpanId), "kind": strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_")),
					"status":     strings.ToLower(strings.TrimPrefix(s.GetStatus().GetCode().String(), "STATUS_CODE_")),
					"message":    s.GetStatus().GetMessage(),
					"attributes": attributes(s.Attributes), "resource": resource,
					"durationMs": float64(s.EndTimeUnixNano-s.StartTimeUnixNano) / 1e6})
			}
		}
	}
	return out, nil
}

// attributes are texts, numbers and truth values; anything else is shown as text.
func attributes(list []*commonpb.KeyValue) map[string]any {
	out := map[string]any{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			out[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			out[a.Key] = v.IntValue
		case *commonpb.AnyValue_DoubleValue:
			out[a.Key] = v.DoubleValue
		case *commonpb.AnyValue_BoolValue:
			out[a.Key] = v.BoolValue
		default:
			out[a.Key] = a.GetValue().String()
		}
	}
	return out
}

// Spans are all that were exported to the sink, and taken.
func (s *Sink) Spans() []any {
	out := []any{}
	for _, r := range s.Received() {
		if spans, ok := r.Body.([]any); ok && r.Status == 200 && r.Headers["content-type"] == protobuf {
			out = append(out, spans...)
		}
	}
	return out
}
