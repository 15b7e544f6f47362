package suite

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/report"
)

// FailuresDir is the folder of evidence below a report's folder: one folder a red scenario,
// with its first red run; further red runs lie in run-N below it.
const FailuresDir = "failures"

// mostEvidence of one file is kept: its beginning and its end.
const mostEvidence = 4 << 20

// keep copies what a red scenario left into the report's folder of failures, and writes
// why.md there. It works from files alone, so it also serves a process that died.
// reportDir is the report's folder, output the folder of reports as typed, from the folder of the scenario's own files ("" when
// nothing was written), run the number of the run.
func keep(reportDir, output, from string, run int, s *report.Scenario) error {
	rel := filepath.Join(FailuresDir, s.ID)
	if _, err := os.Stat(filepath.Join(reportDir, rel, "why.md")); err == nil {
		rel = filepath.Join(rel, fmt.Sprintf("run-%d", run))
	}
	to := filepath.Join(reportDir, rel)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("making the folder of evidence: %w", err)
	}
	if s.Why == nil {
		s.Why = &report.Why{Check: s.FirstCause}
		if rest := strings.TrimSpace(strings.TrimPrefix(s.Detail, s.FirstCause)); rest != "" {
			s.Why.Notes = []string{rest}
		}
	}
	s.Why.Folder = filepath.ToSlash(rel)
	s.Why.Evidence = filepath.Join(cmp.Or(output, "reports"), report.LatestLink, rel)
	var errs []error
	if from != "" {
		errs = append(errs, copyEvidence(from, to))
	}
	s.Detail = s.Page(false)
	errs = append(errs, os.WriteFile(filepath.Join(to, "why.md"), []byte(s.Markdown(run)), 0o644))
	s.Artefacts = listEvidence(reportDir, rel)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("keeping the evidence of %s: %w", s.ID, err)
	}
	return nil
}

// lastRound is the folder of the last round that a scenario began, "" for none. Names of cases
// say nothing about their order, so the newest folder counts.
func lastRound(dir string) string {
	rounds, err := filepath.Glob(filepath.Join(dir, "round-*"))
	if err != nil || len(rounds) == 0 {
		return ""
	}
	began := func(path string) time.Time {
		info, err := os.Stat(filepath.Join(path, "history.jsonl"))
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	slices.SortFunc(rounds, func(a, b string) int {
		return cmp.Or(began(a).Compare(began(b)), len(a)-len(b), strings.Compare(a, b))
	})
	return rounds[len(rounds)-1]
}

// copyEvidence copies regular files, but not the data of servers that ran for the scenario.
func copyEvidence(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case rel == ".":
			return nil
		case d.IsDir() && d.Name() == "objects":
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case d.IsDir():
			if err := copyLogs(path, to); err != nil {
				return err
			}
			return fs.SkipDir
		case d.Type().IsRegular():
			return copyBounded(path, filepath.Join(to, rel))
		default:
			return nil
		}
	})
}

// copyLogs takes the logs of a server's folder and leaves its data.
func copyLogs(from, to string) error {
	logs, err := filepath.Glob(filepath.Join(from, "*.log"))
	if err != nil {
		return err
	}
	var errs []error
	for _, log := range logs {
		errs = append(errs, copyBounded(log, filepath.Join(to, filepath.Base(from)+"-"+filepath.Base(log))))
	}
	return errors.Join(errs...)
}

// copyBounded copies a file; of one that is too long, the beginning and the end.
func copyBounded(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if info.Size() <= mostEvidence {
		_, err = io.Copy(out, in)
		return err
	}
	if _, err = io.CopyN(out, in, mostEvidence/4); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n... %d bytes left out; the whole file is %s\n", info.Size()-mostEvidence, from)
	if _, err = in.Seek(-mostEvidence*3/4, io.SeekEnd); err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}

// listEvidence names the files, why.md first, relative to the report's folder. The objects
// are named by their folder.
func listEvidence(reportDir, rel string) []string {
	entries, err := os.ReadDir(filepath.Join(reportDir, rel))
	if err != nil {
		return nil
	}
	out := []string{filepath.ToSlash(filepath.Join(rel, "why.md"))}
	for _, e := range entries {
		name := filepath.ToSlash(filepath.Join(rel, e.Name()))
		switch {
		case e.Name() == "why.md", e.IsDir() && strings.HasPrefix(e.Name(), "run-"):
		case e.IsDir():
			out = append(out, name+"/")
		default:
			out = append(out, name)
		}
	}
	return out
}
