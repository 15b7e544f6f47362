package history_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/history"
)

func begin() history.Event {
	return history.Event{Begin: &history.Begin{Schema: history.Schema, Scenario: "STO-01"}}
}

func note(text string) history.Event { return history.Event{Note: &history.Note{Text: text}} }

// open starts a history on a clock that moves one second with every event.
func open(t *testing.T) (*history.Writer, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), history.FileName)
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	w, err := history.Open(path, func() time.Time { now = now.Add(time.Second); return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, path
}

func add(t *testing.T, w *history.Writer, events ...history.Event) {
	t.Helper()
	for _, e := range events {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	w, path := open(t)
	add(t, w, begin())
	w.SetStep(3)
	add(t, w,
		history.Event{Request: &history.Request{ID: "a", Alerts: []history.Alert{{Labels: map[string]string{"alertname": "A\nB"}}}}},
		history.Event{Answer: &history.Answer{ID: "a", Status: 201, Latency: time.Millisecond}})
	w.SetStep(-1)
	add(t, w, history.Event{End: &history.End{Clean: true}})

	got, err := history.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.Events(), got); diff != "" {
		t.Errorf("the file differs from what was added (-added +read):\n%s", diff)
	}
	var steps []int
	for i, e := range got {
		steps = append(steps, e.Step)
		if e.Seq != int64(i)+1 {
			t.Errorf("event %d has seq %d", i+1, e.Seq)
		}
		if i > 0 && (e.At < got[i-1].At || !e.Clock.Equal(got[i-1].Clock.Add(time.Second))) {
			t.Errorf("event %d is at %s and %s, after %s and %s", i+1, e.At, e.Clock, got[i-1].At, got[i-1].Clock)
		}
	}
	if diff := cmp.Diff([]int{-1, 3, 3, -1}, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestEveryEventIsOnDiskBeforeAddReturns(t *testing.T) {
	w, path := open(t)
	add(t, w, begin(), note("one"))
	// The writer is still open, as it would be in a process that panics now.
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n != 2 {
		t.Errorf("the file holds %d lines after two events:\n%s", n, b)
	}
}

func TestConcurrentWritersNeverMixTheirLines(t *testing.T) {
	w, path := open(t)
	add(t, w, begin())
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 50 {
				if err := w.Add(note(strings.Repeat("x", 5000))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got, err := history.Read(path) // checks that every line decodes and that none is missing
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1+16*50 {
		t.Errorf("%d events were read, %d were added", len(got), 1+16*50)
	}
}

func TestTheWriterRefuses(t *testing.T) {
	two := note("x")
	two.End = &history.End{}
	for name, tc := range map[string]struct {
		before []history.Event
		event  history.Event
	}{
		"an event of no kind":                   {[]history.Event{begin()}, history.Event{}},
		"an event of two kinds":                 {[]history.Event{begin()}, two},
		"a first event that is not a begin":     {nil, note("x")},
		"a first event without the schema's id": {nil, history.Event{Begin: &history.Begin{}}},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := open(t)
			add(t, w, tc.before...)
			if err := w.Add(tc.event); err == nil {
				t.Error("it was accepted")
			}
			if n := len(w.Events()); n != len(tc.before) {
				t.Errorf("%d events are recorded, want %d", n, len(tc.before))
			}
		})
	}
}

func TestAClosedWriterRefusesAndClosesTwice(t *testing.T) {
	w, _ := open(t)
	add(t, w, begin())
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Add(note("late")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("adding after Close: %v", err)
	}
}

func TestASnapshotDoesNotGrow(t *testing.T) {
	w, _ := open(t)
	add(t, w, begin())
	before := w.Events()
	add(t, w, note("later"))
	if len(before) != 1 || len(w.Events()) != 2 {
		t.Errorf("snapshot holds %d, writer %d events; want 1 and 2", len(before), len(w.Events()))
	}
}

func TestAnUnwritablePathIsAnError(t *testing.T) {
	if _, err := history.Open(filepath.Join(t.TempDir(), "no", "such", "folder"), time.Now); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
