// Package traces tells a collector where the time of a request went, by OpenTelemetry (OTLP
// over HTTP). Without an endpoint it does nothing.
//
//	POST /api/v1/alerts/alertmanager     its parent is the sender's span, if there is one
//	   ├── redis decide                  one a call of a script
//	   ├── kubernetes create remediationrequests   one an attempt
//	   └── redis settle
//
// A span names what the gateway did: a route, a script, a verb and a resource, and numbers.
// It never holds what a sender wrote, nor the text of an error, which may quote it.
//
// A collector that is away delays no request and takes no memory: spans wait in a queue of
// fixed length, and what does not fit is dropped and counted.
package traces

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/stormproof/stormproof/gateway/config"
)

const (
	// batch is the most spans in one export, batchAge how long the first of them waits.
	batch    = 512
	batchAge = time.Second
	// exportTimeout bounds one export with its retries, stopTimeout what is left to send at a stop.
	exportTimeout = 10 * time.Second
	stopTimeout   = 3 * time.Second
)

// Traces makes spans. The zero value makes none.
type Traces struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider
	queue    *queue
}

// New returns the traces of a configuration; dropped is told of spans that are lost. Whoever
// gets them has to Stop them.
func New(c config.Traces, log *slog.Logger, dropped func(int)) (*Traces, error) {
	if c.Endpoint == "" {
		return &Traces{}, nil
	}
	to, err := newCollector(c)
	if err != nil {
		return nil, err
	}
	q := newQueue(otlptrace.NewUnstarted(to), log, dropped)
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.SampleRatio))),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "stormproof-gateway"))),
		sdktrace.WithSpanProcessor(q))
	return &Traces{tracer: provider.Tracer("stormproof"), provider: provider, queue: q}, nil
}

// Request begins the span of a request; the function ends it with the status of the answer.
func (t *Traces) Request(r *http.Request, route string) (*http.Request, func(status int)) {
	if t.tracer == nil || !strings.HasPrefix(route, "/api/v1/alerts/") {
		return r, func(int) {}
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, "POST "+route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.route", route)))
	return r.WithContext(ctx), func(status int) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
		span.End()
	}
}

// Call begins the span of a call that a request makes, such as "redis decide"; the function
// ends it with how it went, in a word. What nobody asked for, such as the writing of a status,
// belongs to no trace.
func (t *Traces) Call(ctx context.Context, name string) (context.Context, func(outcome string)) {
	if t.tracer == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(string) {}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, func(outcome string) {
		span.SetAttributes(attribute.String("stormproof.outcome", outcome))
		if !slices.Contains(wellOutcomes, outcome) {
			span.SetStatus(codes.Error, outcome)
		}
		span.End()
	}
}

// wellOutcomes are no errors of a call: AlreadyExists and NotFound are what the gateway asked about.
var wellOutcomes = []string{"ok", "AlreadyExists", "NotFound"}

// Counts adds to the request's span how many alerts got which verdict.
func Counts(ctx context.Context, counts map[string]int) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	for verdict, n := range counts {
		span.SetAttributes(attribute.Int("stormproof.alerts."+verdict, n))
	}
}

// ID is the trace that a request belongs to, "" where there is none.
func ID(ctx context.Context) string {
	if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
		return id.String()
	}
	return ""
}

// Stop sends what waits, for a few seconds at most and not longer than ctx, and returns when
// nothing of it runs any more.
func (t *Traces) Stop(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, t.queue.giveUp)
	defer stop()
	// The batcher ends only when its queue is empty: giving up fails the exports that are left.
	if err := t.provider.Shutdown(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("stopping traces: %w", err)
	}
	return nil
}
