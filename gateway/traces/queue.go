package traces

import (
	"context"
	"log/slog"
	"sync/atomic"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// mostWaiting bounds the spans that wait for the collector, those under way included.
const mostWaiting = 2048

// queue is the SDK's batcher behind a bound that counts: the batcher's own queue drops in
// silence.
type queue struct {
	sdktrace.SpanProcessor
	exporter sdktrace.SpanExporter
	log      *slog.Logger
	dropped  func(int)
	waiting  atomic.Int64
	// over ends when whoever stops has no more time.
	over   context.Context
	giveUp context.CancelFunc
	// away belongs to the batcher, which makes one export at a time.
	away bool
}

func newQueue(exporter sdktrace.SpanExporter, log *slog.Logger, dropped func(int)) *queue {
	q := &queue{exporter: exporter, log: log, dropped: dropped}
	q.over, q.giveUp = context.WithCancel(context.Background())
	q.SpanProcessor = sdktrace.NewBatchSpanProcessor(sender{q}, sdktrace.WithMaxQueueSize(mostWaiting),
		sdktrace.WithMaxExportBatchSize(batch), sdktrace.WithBatchTimeout(batchAge), sdktrace.WithExportTimeout(exportTimeout))
	return q
}

// OnEnd takes a span that has ended.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if q.waiting.Add(1) > mostWaiting {
		q.waiting.Add(-1)
		q.dropped(1)
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// sender is the queue as the batcher's exporter.
type sender struct{ q *queue }

// ExportSpans sends a batch. An error ends here: the SDK would print it.
func (s sender) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	q := s.q
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(q.over, cancel)()
	if q.over.Err() != nil { // at once: AfterFunc has a goroutine of its own, which a fast collector would outrun
		cancel()
	}
	err := q.exporter.ExportSpans(ctx, spans)
	q.waiting.Add(-int64(len(spans)))
	if err != nil {
		q.dropped(len(spans))
	}
	if away := err != nil; away != q.away {
		q.away = away
		if away {
			q.log.WarnContext(ctx, "the collector takes no traces; they are dropped and counted", "error", err)
		} else {
			q.log.InfoContext(ctx, "the collector takes traces again")
		}
	}
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (s sender) Shutdown(ctx context.Context) error {
	s.q.giveUp()
	return s.q.exporter.Shutdown(ctx)
}
