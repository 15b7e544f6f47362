package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/flake"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

// keptHistory holds every run of the whole catalogue in this checkout.
var keptHistory = filepath.Join(".stormproof", "history", flake.File)

// notCode is what a change of does not change how the system behaves. Scenarios have
// identities of their own.
var notCode = []string{":!*.md", ":!docs", ":!scenarios", ":!fixtures"}

// allButOurs leaves out what the program itself writes, where a project's git does not ignore it.
var allButOurs = []string{".", ":!.stormproof", ":!reports"}

// keepRuns has every run of the session kept, in this checkout's history and beside the report
// for others to merge. What is run is identified now: files may change while it runs.
func (s *session) keepRuns(ctx context.Context) error {
	subject, err := subjectOf(ctx, s.list, s.facts)
	s.subject = &subject
	return err
}

// keep adds a run to the histories, if the session's runs are kept. One that was interrupted
// says nothing.
func (s *session) keep(ctx context.Context, run report.Run) error {
	if s.subject == nil || ctx.Err() != nil {
		return nil
	}
	line := flake.Record(*s.subject, run)
	return errors.Join(flake.Append(keptHistory, line), flake.Append(filepath.Join(s.dir, flake.File), line))
}

// trendPoints are how many earlier runs a dashboard shows.
const trendPoints = 50

// past are the kept runs before the session's, for the dashboard's trend.
func (s *session) past() ([]report.Past, error) {
	if s.subject == nil {
		return nil, nil
	}
	history, err := flake.Load(keptHistory)
	return flake.Past(history, s.started, trendPoints), err
}

// onRecord counts the kept runs of what the session ran, and the red ones of them.
func (s *session) onRecord() (runs, red int, err error) {
	if s.subject == nil {
		return 0, 0, nil
	}
	history, err := flake.Load(keptHistory)
	runs, red = flake.CountTree(history, s.subject.Tree)
	return runs, red, err
}

// subjectOf identifies what was run.
func subjectOf(ctx context.Context, list []*scenario.Scenario, env report.Environment) (flake.Subject, error) {
	s := flake.Subject{Commit: env.Commit}
	var stood strings.Builder
	for _, c := range env.Choices {
		fmt.Fprintln(&stood, c.Part, c.Chosen)
	}
	s.Tree = identity(ctx, stood.String())
	s.Code = identity(ctx, fmt.Sprint(stood.String(), "race ", env.Race), notCode...)
	var err error
	s.Sources, err = sourcesOf(list)
	return s, err
}

// sourcesOf identifies each scenario's text, with all that it includes.
func sourcesOf(list []*scenario.Scenario) (map[string]string, error) {
	out := map[string]string{}
	for _, one := range list {
		h := sha256.New()
		for _, path := range one.Sources {
			if err := addFile(h, path); err != nil {
				return nil, fmt.Errorf("identifying %s: %w", one.ID, err)
			}
		}
		out[one.ID] = sum(h)
	}
	return out, nil
}

// identity is a hash of what git finds here, committed or not, but for some paths, and of what
// else matters. Without git every run is of something else.
func identity(ctx context.Context, besides string, but ...string) string {
	paths := append(slices.Clone(allButOurs), but...)
	h := sha256.New()
	_, _ = h.Write([]byte(besides)) // a hash.Hash never fails
	for _, args := range [][]string{{"ls-files", "--stage"}, {"diff", "--no-ext-diff"}} {
		out, err := git(ctx, args, paths)
		if err != nil {
			return "no-git-" + time.Now().UTC().Format(time.RFC3339Nano)
		}
		_, _ = h.Write([]byte(out))
	}
	untracked, err := git(ctx, []string{"ls-files", "--others", "--exclude-standard", "-z"}, paths)
	for _, path := range strings.Split(strings.TrimRight(untracked, "\x00"), "\x00") {
		if path != "" {
			err = errors.Join(err, addFile(h, path))
		}
	}
	if err != nil {
		return "unreadable-" + time.Now().UTC().Format(time.RFC3339Nano)
	}
	return sum(h)
}

func git(ctx context.Context, args, paths []string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append(append(args, "--"), paths...)...).Output()
	return string(out), err
}

func addFile(h hash.Hash, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fmt.Fprintln(h, filepath.Base(path), len(b))
	_, _ = h.Write(b)
	return nil
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil))[:16] }
