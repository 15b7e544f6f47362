package mutation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stormproof/stormproof/harness/internal/jsonl"
)

// Verdict is what became of a mutant, kept so that it need not be tried again.
type Verdict struct {
	Name string `json:"name"`
	// Key identifies what was tried; see Key.
	Key      string    `json:"key"`
	Killed   bool      `json:"killed"`
	Evidence string    `json:"evidence,omitempty"`
	When     time.Time `json:"when"`
}

// Key identifies a mutant together with the file that it changes and its killers' texts, by
// scenario id in sources. Code elsewhere is left out: a killer that has seen this bug through
// this file hardly goes blind by a change of another, and otherwise every commit would ask for
// all of them. `stormproof mutants --again` believes nothing that is kept.
func Key(m Mutant, root string, sources map[string]string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", []string{m.Name, m.File, m.Old, m.New}) // a hash.Hash never fails
	for _, id := range m.KilledBy {
		fmt.Fprintf(h, "%q\n", sources[id])
	}
	b, err := os.ReadFile(filepath.Join(root, m.File))
	if err != nil {
		return "", fmt.Errorf("identifying mutant %s: %w", m.Name, err)
	}
	_, _ = h.Write(b)
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// Keep adds a verdict to a file.
func (v Verdict) Keep(path string) error { return jsonl.Append(path, v) }

// Kept reads the newest verdict of each key. No file is no verdicts.
func Kept(path string) (map[string]Verdict, error) {
	list, err := jsonl.Load[Verdict](path)
	verdicts := map[string]Verdict{}
	for _, v := range list {
		verdicts[v.Key] = v
	}
	return verdicts, err
}

// Standing is what is known of all mutants as everything lies here now.
type Standing struct {
	Killed   int
	Survived []Mutant
	// Untried have no verdict with this content.
	Untried []Mutant
}

// StandingOf sorts mutants by what is kept of them.
func StandingOf(list []Mutant, root string, sources map[string]string, kept map[string]Verdict) (Standing, error) {
	var s Standing
	for _, m := range list {
		key, err := Key(m, root, sources)
		if err != nil {
			return s, err
		}
		switch v, known := kept[key]; {
		case !known:
			s.Untried = append(s.Untried, m)
		case v.Killed:
			s.Killed++
		default:
			s.Survived = append(s.Survived, m)
		}
	}
	return s, nil
}
