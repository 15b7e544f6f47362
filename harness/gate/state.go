package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stormproof/stormproof/harness/report"
)

// State is how far a gate has come, so that one that was interrupted can go on.
type State struct {
	// Key identifies the tree, the criteria and the flags: a gate goes on only where nothing
	// has changed.
	Key string `json:"key"`
	// Dir is its report's folder, Seed the base of its seeds.
	Dir  string `json:"dir"`
	Seed int64  `json:"seed"`
	// What is done: lint is nil until then.
	Lint   *Lint     `json:"lint,omitempty"`
	Unit   []UnitRun `json:"unit,omitempty"`
	BurnIn *BurnIn   `json:"burn_in,omitempty"`
	// Runs are whole integration runs, Environment what they stood on.
	Runs        []report.Run       `json:"runs,omitempty"`
	Environment report.Environment `json:"environment"`
}

// LoadState reads a state that was saved for key. One that is missing, or of something else,
// or whose folder is gone, is an empty state, and false.
func LoadState(path, key string) (State, bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return State{Key: key}, false, nil
	}
	if err != nil {
		return State{Key: key}, false, fmt.Errorf("reading how far the last gate came: %w", err)
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return State{Key: key}, false, fmt.Errorf("%s: not a gate's state (remove the file to begin anew): %w", path, err)
	}
	if _, err := os.Stat(s.Dir); s.Key != key || err != nil {
		return State{Key: key}, false, nil
	}
	return s, true, nil
}

// Save writes beside and renames: half a state is never there.
func (s State) Save(path string) error {
	b, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("keeping how far the gate came: %w", err)
	}
	return nil
}
