package owned

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Variable is set in the environment of every program that a session starts, to its id.
const Variable = "STORMPROOF_SESSION"

// Session says that a process of the harness lives, and what is its own. It is a file that
// the process keeps locked; the lock goes with the process, however that ends, and the file
// stays until all that it names is known to be gone.
type Session struct {
	// ID begins the id of each of its runs; it is the value of Variable.
	ID string `json:"-"`
	// Dir holds its files.
	Dir string `json:"dir"`
	// Kubeconfig reaches the cluster that it uses and that outlives it, "" where it has one
	// of its own.
	Kubeconfig string `json:"kubeconfig,omitempty"`

	file *os.File
}

// Begin announces a session. The file gets its name when it is locked already, so that
// nobody takes it for a dead one's.
func Begin(cacheDir string, s Session) (*Session, error) {
	dir, err := sessions(cacheDir)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("announcing session %s: %w", s.ID, err)
	}
	if s.file, err = os.CreateTemp(dir, ".new-"); err != nil {
		return nil, fmt.Errorf("announcing session %s: %w", s.ID, err)
	}
	_, err = s.file.Write(b)
	if err == nil {
		err = s.lock()
	}
	if err == nil {
		err = os.Link(s.file.Name(), filepath.Join(dir, s.ID))
	}
	err = errors.Join(err, os.Remove(s.file.Name()))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("announcing session %s: %w", s.ID, err), s.file.Close())
	}
	return &s, nil
}

// End says that nothing of the session is left.
func (s *Session) End() error {
	path := filepath.Join(filepath.Dir(s.file.Name()), s.ID)
	return errors.Join(os.Remove(path), s.file.Close())
}

// Keep leaves a session that Ended found for a later try.
func (s *Session) Keep() { _ = s.file.Close() } // nothing was written; closing frees the lock

// Has reports whether a run is one of the session's.
func (s *Session) Has(run string) bool {
	rest, is := strings.CutPrefix(run, s.ID+"r")
	return is && rest != "" && strings.Trim(rest, "0123456789") == ""
}

// Ended are the sessions whose process has ended without End. Each is locked by now: End it
// when what it left is gone, Keep it when something stays.
func Ended(cacheDir string) ([]*Session, error) {
	dir, err := sessions(cacheDir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking for sessions that were killed: %w", err)
	}
	var out []*Session
	for _, e := range entries {
		s, err := dead(filepath.Join(dir, e.Name()))
		if err != nil {
			return out, fmt.Errorf("looking for sessions that were killed: %w", err)
		}
		if s != nil {
			out = append(out, s)
		}
	}
	return out, nil
}

// dead reads a session whose process has ended, nil for one that lives or is gone.
func dead(path string) (*Session, error) {
	if strings.HasPrefix(filepath.Base(path), ".new-") {
		return nil, nil // it is just beginning
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &Session{ID: filepath.Base(path), file: f}
	if s.lock() != nil {
		return nil, f.Close()
	}
	if err := json.NewDecoder(f).Decode(s); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w; remove it", path, err), f.Close())
	}
	return s, nil
}

func (s *Session) lock() error {
	return syscall.Flock(int(s.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func sessions(cacheDir string) (string, error) {
	dir := filepath.Join(cacheDir, "sessions")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the folder of sessions: %w", err)
	}
	return dir, nil
}
