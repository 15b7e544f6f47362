package gate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Entry is one integration run in the kept history.
type Entry struct {
	// Tree identifies the code: runs of another tree say nothing about this one.
	Tree string    `json:"tree"`
	Seed int64     `json:"seed"`
	When time.Time `json:"when"`
	// Green is whether everything passed; Failed lists the ids of what did not.
	Green     bool     `json:"green"`
	Failed    []string `json:"failed,omitempty"`
	DurationS float64  `json:"duration_s"`
}

// Append adds entries to the history file.
func Append(path string, entries ...Entry) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the history's folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the history of runs: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, e := range entries {
		b, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encoding a run: %w", err)
		}
		if _, err := f.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("writing the history of runs: %w", err)
		}
	}
	return nil
}

// CountTree counts the runs and red runs of one tree. No file is no runs; a damaged line is
// an error with its place.
func CountTree(path, tree string) (runs, failures int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("opening the history of runs: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return 0, 0, fmt.Errorf("%s:%d: not a run (remove the line to go on): %w", path, n, err)
		}
		if e.Tree != tree {
			continue
		}
		runs++
		if !e.Green {
			failures++
		}
	}
	return runs, failures, lines.Err()
}

// RunSpec is how one integration run differs from the others.
type RunSpec struct {
	Seed  int64
	Procs int
}

// Plan makes n runs that differ in order and in parallelism: equal runs would test one
// interleaving n times.
func Plan(base int64, n, cpus int) []RunSpec {
	out := make([]RunSpec, n)
	for i := range out {
		procs := 2 * cpus
		switch i % 3 {
		case 1:
			procs = cpus
		case 2:
			procs = cpus + 1
		}
		out[i] = RunSpec{Seed: base + int64(i)*7919, Procs: procs}
	}
	return out
}
