package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Names of the files that Write makes.
const (
	JSONFile    = "report.json"
	JUnitFile   = "junit.xml"
	SummaryFile = "summary.md"
	HTMLFile    = "index.html"
	BadgeFile   = "badge.svg"
	MetricsFile = "metrics.txt"
	// LatestLink is the name of the symbolic link that Latest keeps.
	LatestLink = "latest"
)

// Write puts report.json and all views of it into dir, which is made where needed. Each file appears whole or not at all: a reader never sees half of one.
// report.json comes first, so that what happened is kept even if a view of it fails.
func Write(dir string, r Report) error {
	if r.Schema == "" {
		r.Schema = Schema
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the report folder: %w", err)
	}
	writers := []struct {
		name  string
		write func(io.Writer, Report) error
	}{
		{JSONFile, writeJSON},
		{JUnitFile, WriteJUnit},
		{SummaryFile, WriteSummary},
		{HTMLFile, WriteHTML},
		{BadgeFile, WriteBadge},
		{MetricsFile, WriteMetrics},
	}
	var errs []error
	for _, w := range writers {
		var b bytes.Buffer
		if err := w.write(&b, r); err != nil {
			errs = append(errs, fmt.Errorf("rendering %s: %w", w.name, err))
			continue
		}
		if err := writeAtomic(filepath.Join(dir, w.name), b.Bytes()); err != nil {
			errs = append(errs, fmt.Errorf("writing %s: %w", w.name, err))
		}
	}
	return errors.Join(errs...)
}

func writeJSON(w io.Writer, r Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(whole(r))
}

// whole has an empty list where there is none: readers should not meet null.
func whole(r Report) Report {
	r.Environment.Choices = orEmpty(r.Environment.Choices)
	r.Runs = slices.Clone(orEmpty(r.Runs))
	for i := range r.Runs {
		list := slices.Clone(orEmpty(r.Runs[i].Scenarios))
		for j := range list {
			s := &list[j]
			s.Steps, s.Faults, s.Residue = orEmpty(s.Steps), orEmpty(s.Faults), orEmpty(s.Residue)
			if s.Promises == nil {
				s.Promises = map[string]string{}
			}
		}
		r.Runs[i].Scenarios = list
	}
	return r
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// writeAtomic writes beside the target and renames, so the target is never half written.
func writeAtomic(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one worth telling
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Load reads a report.json; path may also be the folder that holds it. A version that
// this program does not know is refused rather than half understood.
func Load(path string) (Report, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, JSONFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Report{}, fmt.Errorf("reading a report: %w; write one with: make test-integration", err)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return Report{}, fmt.Errorf("reading %s: %w; the file is damaged, run the scenarios again with: make test-integration", path, err)
	}
	if r.Schema != Schema {
		return Report{}, fmt.Errorf("reading %s: its schema is %q, this program reads %q; use the stormproof that wrote it", path, r.Schema, Schema)
	}
	return r, nil
}

// Latest makes root/latest point to runDir, by a relative link so that root may be moved
// or mounted elsewhere. Something at that place that is not a link is left alone and is an
// error.
func Latest(root, runDir string) error {
	link := filepath.Join(root, LatestLink)
	switch info, err := os.Lstat(link); {
	case err == nil && info.Mode()&fs.ModeSymlink == 0:
		return fmt.Errorf("linking the latest report: %s is not a link; move it away and run again", link)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("linking the latest report: %w", err)
	}
	target, err := relative(root, runDir)
	if err != nil {
		return fmt.Errorf("linking the latest report: %w", err)
	}
	// A link cannot be changed in place; a rename over the old one is atomic.
	fresh := fmt.Sprintf("%s.%d", link, os.Getpid())
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("linking the latest report: %w", err)
	}
	if err := os.Symlink(target, fresh); err != nil {
		return fmt.Errorf("linking the latest report: %w", err)
	}
	if err := os.Rename(fresh, link); err != nil {
		_ = os.Remove(fresh) // the rename's error says more
		return fmt.Errorf("linking the latest report: %w", err)
	}
	return nil
}

func relative(root, runDir string) (string, error) {
	from, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(runDir)
	if err != nil {
		return "", err
	}
	return filepath.Rel(from, to)
}
