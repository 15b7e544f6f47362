package play

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/stormproof/stormproof/harness/history"
)

// keepArtefact writes a JSON file beside the history. It is help for a person after a
// failure, so its own failure is only noted.
func (w *world) keepArtefact(name string, read func() (any, error)) {
	v, err := read()
	var b []byte
	if err == nil {
		b, err = json.MarshalIndent(v, "", "  ")
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, name), b, 0o600)
	}
	if err != nil {
		// The history itself may be what is broken; then this note is lost, too.
		_ = w.history.Add(history.Event{Note: &history.Note{Text: "keeping " + name + ": " + err.Error()}})
	}
}
