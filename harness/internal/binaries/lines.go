package binaries

import (
	"bytes"
	"strings"
	"sync"
)

// lines is a writer that counts lines and keeps the last few, while somebody else asks.
type lines struct {
	mu    sync.Mutex
	rest  []byte
	count int
	last  []string
}

const keptLines = 15

// Write never fails.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		l.last = append(l.last, string(l.rest[:i]))
		l.rest = l.rest[i+1:]
		l.count++
		if len(l.last) > keptLines {
			l.last = l.last[1:]
		}
	}
}

// Count is the number of whole lines so far.
func (l *lines) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// Tail is the last lines, a line without its end included.
func (l *lines) Tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(strings.Join(l.last, "\n") + "\n" + string(l.rest))
}
