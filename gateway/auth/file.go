package auth

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// file is a value that is made of the contents of files, and made anew when they change. They
// are read whenever the value is asked for, which costs some microseconds each and misses no
// change, however it was made; a watch, and times of change, do miss some. What cannot be
// used keeps the value before it in force, and is logged once.
type file[T any] struct {
	field string
	paths []string
	parse func(contents [][]byte) (T, error)
	log   *slog.Logger

	mu    sync.Mutex
	last  []byte
	value T
}

// openFile reads the value for the first time; field is the key of the configuration that
// names the files.
func openFile[T any](log *slog.Logger, field string, parse func([][]byte) (T, error), paths ...string) (*file[T], error) {
	f := &file[T]{field: field, paths: paths, parse: parse, log: log}
	contents, err := f.read()
	if err == nil {
		f.value, err = parse(contents)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	f.last = bytes.Join(contents, []byte{0})
	return f, nil
}

func (f *file[T]) read() (out [][]byte, err error) {
	for _, path := range f.paths {
		b, readErr := os.ReadFile(path)
		out, err = append(out, b), errors.Join(err, readErr)
	}
	return out, err
}

// get is the value of what the files hold now.
func (f *file[T]) get() T {
	contents, err := f.read()
	f.mu.Lock()
	defer f.mu.Unlock()
	now := bytes.Join(contents, []byte{0})
	if bytes.Equal(now, f.last) {
		return f.value
	}
	f.last = now
	var value T
	if err == nil {
		value, err = f.parse(contents)
	}
	if err != nil {
		f.log.Error("changed files refused, the old ones stay in force", "field", f.field, "error", err)
		return f.value
	}
	f.value = value
	f.log.Info("changed files taken over", "field", f.field, "files", f.paths)
	return f.value
}
