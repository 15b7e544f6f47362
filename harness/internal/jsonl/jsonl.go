// Package jsonl keeps things in a file of JSON lines: one is added at the end by one write, and
// all are read back, so that a record can grow, be merged and be read by people.
package jsonl

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// longestLine bounds one line, in bytes.
const longestLine = 4 << 20

// Append adds items to a file, which is made where needed with its folder.
func Append[T any](path string, items ...T) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the folder of %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening a record: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, item := range items {
		b, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("encoding a line of %s: %w", path, err)
		}
		if _, err := f.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("writing a record: %w", err)
		}
	}
	return nil
}

// Load reads a file, in its order. No file is no items; a damaged line is an error that says
// where it is.
func Load[T any](path string) (items []T, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening a record: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, longestLine)
	for n := 1; lines.Scan(); n++ {
		var item T
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			return nil, fmt.Errorf("%s:%d: a damaged line (remove it to go on): %w", path, n, err)
		}
		items = append(items, item)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return items, nil
}
