package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// FileName is what a history is called inside a run's folder; ReadDir looks for it.
const FileName = "history.jsonl"

// Writer appends events to one file. It is safe for concurrent use.
//
// Each event leaves the process in one write(2) before Add returns, so whatever ends the
// process afterwards (a panic, kill -9) cannot take it back.
type Writer struct {
	clock func() time.Time
	begun time.Time

	mu     sync.Mutex
	file   *os.File
	step   int
	events []Event
	// broken is the first failed write: after half a line, more lines would be damage.
	broken error
}

// Open starts a history at path and replaces an older one. clock is the scenario's own
// clock, read once for each event.
func Open(path string, clock func() time.Time) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening history: %w", err)
	}
	return &Writer{clock: clock, begun: time.Now(), file: f, step: -1}, nil
}

// SetStep says which step is under way from now on; -1 is outside of steps.
func (w *Writer) SetStep(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step = i
}

// Add stamps Seq, At, Clock and Step on the event and writes it. What was set there before
// is replaced. It refuses an event that does not carry exactly one kind, a first event that
// is not a Begin, and everything after Close or after a failed write.
func (w *Writer) Add(e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.refuses(e); err != nil {
		return err
	}
	e.Seq = int64(len(w.events)) + 1
	// Both times are read under the lock, so that they never run against Seq.
	e.At, e.Clock, e.Step = time.Since(w.begun), w.clock().Round(0), w.step
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding event %d: %w", e.Seq, err)
	}
	if _, err := w.file.Write(append(line, '\n')); err != nil {
		w.broken = fmt.Errorf("writing event %d: %w", e.Seq, err)
		return w.broken
	}
	w.events = append(w.events, e)
	return nil
}

func (w *Writer) refuses(e Event) error {
	if w.broken != nil {
		return w.broken
	}
	if w.file == nil {
		return fmt.Errorf("adding to a closed history: %w", os.ErrClosed)
	}
	if n := kinds(e); n != 1 {
		return fmt.Errorf("an event carries exactly one kind; this one carries %d", n)
	}
	if len(w.events) == 0 && (e.Begin == nil || e.Begin.Schema != Schema) {
		return errors.New("the first event of a history is a Begin with history.Schema in it")
	}
	return nil
}

// Events returns what was recorded so far. The events are shared with the writer: read them.
func (w *Writer) Events() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// Close ends the file. A second call does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	if err != nil {
		return fmt.Errorf("closing history: %w", err)
	}
	return nil
}

// kinds counts the payloads of an event.
func kinds(e Event) int {
	n := 0
	for _, set := range []bool{e.Begin != nil, e.Request != nil, e.Answer != nil, e.Load != nil, e.Advance != nil,
		e.Fault != nil, e.Object != nil, e.Page != nil, e.Key != nil, e.List != nil,
		e.Scan != nil, e.Leak != nil, e.Residue != nil,
		e.Note != nil, e.Action != nil, e.End != nil} {
		if set {
			n++
		}
	}
	return n
}
