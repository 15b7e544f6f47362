package play

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/stormproof/stormproof/harness/history"
)

// search looks for planted secrets in the traces that a system leaves, some as they come by
// and the rest when it has stopped. It finds a secret as it is and in base64; one that was
// cut, hashed or compressed it does not find.
type search struct {
	secrets map[string]secret
	forms   map[string][][]byte

	mu    sync.Mutex
	scan  history.Scan
	leaks []history.Leak
}

func newSearch(secrets map[string]secret) *search {
	x := &search{secrets: maps.Clone(secrets), forms: map[string][][]byte{}}
	for name, s := range secrets {
		x.forms[name] = disguises(s.value)
	}
	return x
}

// disguises are the forms in which a secret is looked for: as it is, and in base64 at each
// of the three places that it can have in a longer text. Letters and digits look the same in
// every alphabet of base64.
func disguises(value string) [][]byte {
	out := [][]byte{[]byte(value)}
	for shift := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), value...))
		// The first and last characters also hold bits of the neighbours.
		out = append(out, []byte(text[(shift*8+5)/6:(shift+len(value))*8/6]))
	}
	return out
}

// also plants a secret that somebody else drew.
func (x *search) also(name, value string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.secrets[name], x.forms[name] = secret{value: value}, disguises(value)
}

// known is what is looked for now.
func (x *search) known() (map[string]secret, map[string][][]byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.secrets), maps.Clone(x.forms)
}

// read searches one trace; where names it. Objects may hold what was sent in alerts.
func (x *search) read(where string, trace []byte, objects bool) {
	if len(trace) == 0 {
		return
	}
	var found []history.Leak
	secrets, forms := x.known()
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if objects && secrets[name].content {
			continue
		}
		for _, form := range forms[name] {
			if at := bytes.Index(trace, form); at >= 0 {
				found = append(found, history.Leak{Secret: name, Where: fmt.Sprintf("%s, line %d", where, 1+bytes.Count(trace[:at], []byte("\n")))})
				break
			}
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.scan.Places++
	x.scan.Bytes += int64(len(trace))
	for _, leak := range found {
		if !slices.Contains(x.leaks, leak) {
			x.leaks = append(x.leaks, leak)
		}
	}
}

// miss notes a trace that should have been there and was not.
func (x *search) miss(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.scan.Missed = append(x.scan.Missed, fmt.Sprintf(format, args...))
}

// events are what was found, and that somebody looked.
func (x *search) events() []history.Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []history.Event
	for _, leak := range x.leaks {
		out = append(out, history.Event{Leak: &leak})
	}
	scan := x.scan
	return append(out, history.Event{Scan: &scan})
}
