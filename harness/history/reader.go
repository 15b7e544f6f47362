package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Damage says that a file is not the history that was written.
type Damage struct {
	// Path and Line (from 1) say where.
	Path string
	Line int
	// What is wrong there.
	What string
	// Err is the decoder's error, nil where the line decodes and yet cannot be right.
	Err error
}

// Error reads as file:line: what.
func (d *Damage) Error() string {
	text := fmt.Sprintf("%s:%d: %s", d.Path, d.Line, d.What)
	if d.Err != nil {
		text += ": " + d.Err.Error()
	}
	return text
}

// Unwrap returns the decoder's error.
func (d *Damage) Unwrap() error { return d.Err }

// Read loads a history. One truncated last line is what a killed process leaves: it is
// dropped without an error, and the missing End tells the judge. Any other damage, an empty
// file and a schema that this version does not know are a *Damage.
func Read(path string) (events []Event, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading history: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return decode(path, bufio.NewReaderSize(f, 1<<16))
}

func decode(path string, r *bufio.Reader) ([]Event, error) {
	var events []Event
	for line := 1; ; line++ {
		text, err := r.ReadBytes('\n')
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return nil, fmt.Errorf("reading history: %w", err)
		}
		if last && len(text) == 0 {
			break
		}
		var e Event
		if err := json.Unmarshal(text, &e); err != nil {
			if last {
				break
			}
			return nil, &Damage{Path: path, Line: line, What: "this line is no event", Err: err}
		}
		if what := misplaced(e, len(events)); what != "" {
			return nil, &Damage{Path: path, Line: line, What: what}
		}
		events = append(events, e)
		if last {
			break
		}
	}
	if len(events) == 0 {
		return nil, &Damage{Path: path, Line: 1, What: "there is no whole event in this file: the run ended before it began; run the scenario again"}
	}
	return events, nil
}

// misplaced says why an event cannot follow the n events before it, or "".
func misplaced(e Event, n int) string {
	switch {
	case n == 0 && e.Begin == nil:
		return "a history starts with a begin event; is this the whole file?"
	case n == 0 && e.Begin.Schema != Schema && e.Begin.Schema != schemaV1:
		return fmt.Sprintf("schema %q is not known here, only up to %q; judge it with the version that wrote it", e.Begin.Schema, Schema)
	case n > 0 && e.Begin != nil:
		return "a second begin event: two histories were written into one file"
	case kinds(e) != 1:
		return fmt.Sprintf("an event carries exactly one kind; this one carries %d", kinds(e))
	case e.Seq != int64(n)+1:
		return fmt.Sprintf("event %d stands where %d should: lines are missing or out of order", e.Seq, n+1)
	}
	return ""
}

// File is one history of a run.
type File struct {
	// Path begins with the folder that was given to ReadDir.
	Path   string
	Events []Event
}

// ReadDir reads every history below a run's folder, in the order of their paths. A damaged
// one does not hide the others: what could be read is returned together with all errors.
// A folder without any history is an error, as there is nothing to judge.
func ReadDir(dir string) ([]File, error) {
	var files []File
	var damaged []error
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || d.Name() != FileName {
			return nil
		}
		events, err := Read(path)
		if err != nil {
			damaged = append(damaged, err)
			return nil
		}
		files = append(files, File{Path: path, Events: events})
		return nil
	})
	if err != nil {
		return files, errors.Join(append(damaged, fmt.Errorf("looking for histories: %w", err))...)
	}
	if len(files) == 0 && len(damaged) == 0 {
		return nil, fmt.Errorf("no %s below %s; name the folder of a run, for example reports/latest", FileName, dir)
	}
	return files, errors.Join(damaged...)
}
