package config

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must be left alone before it is read: a program that writes it
// anew empties it first.
const settle = 100 * time.Millisecond

// Watch calls changed with the content of the file at path: once at the beginning, whenever
// it has become another, and at each signal of again. It ends with ctx.
//
// It watches the folder, because editors, and Kubernetes with a ConfigMap, replace a file
// instead of writing into it.
func Watch(ctx context.Context, path string, again <-chan os.Signal, changed func(content []byte, err error)) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching the configuration: %w", err)
	}
	defer func() { _ = w.Close() }() // nothing was written
	if err := w.Add(filepath.Dir(path)); err != nil {
		return fmt.Errorf("watching the folder of the configuration: %w", err)
	}
	var last []byte
	look := func(always bool) {
		b, err := os.ReadFile(path)
		if err != nil || always || !bytes.Equal(b, last) {
			changed(b, err)
		}
		if err == nil {
			last = bytes.Clone(b)
		}
	}
	look(true)
	quiet := time.NewTimer(settle)
	quiet.Stop() // until something happens; a look before that might meet a file half written
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			look(true)
		case <-w.Events:
			quiet.Reset(settle)
		case err := <-w.Errors:
			changed(nil, fmt.Errorf("watching the configuration: %w", err))
		case <-quiet.C:
			look(false)
		}
	}
}
