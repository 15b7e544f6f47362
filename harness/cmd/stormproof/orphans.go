package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/internal/owned"
	"github.com/stormproof/stormproof/harness/internal/process"
)

// begin announces a session on this machine, so that what a killed one leaves is known by it.
// The environment is that of `stormproof up`, nil where the session makes its own.
func (s *session) begin(d *environment.Description) (err error) {
	cache, err := binaries.DefaultCacheDir()
	if err != nil {
		return err
	}
	own := owned.Session{ID: sessionID(s.started), Dir: s.dir}
	switch {
	case d != nil:
		own.Kubeconfig = d.Kubeconfig
	case s.c.cluster == cluster.Existing, s.c.kubeconfig != "":
		own.Kubeconfig = filepath.Join(s.dir, "environment", "cluster", "kubeconfig")
	}
	if err := os.Setenv(owned.Variable, own.ID); err != nil {
		return fmt.Errorf("marking the session's programs: %w", err)
	}
	s.own, err = owned.Begin(cache, own)
	return err
}

// downOrphans removes what sessions on this machine left that were killed, and in the
// cluster of a kubeconfig, if one is given, also what those of other machines left when its
// time is past.
func downOrphans(ctx context.Context, out io.Writer, kubeconfig string) error {
	cache, err := binaries.DefaultCacheDir()
	if err != nil {
		return err
	}
	ended, err := owned.Ended(cache)
	errs := []error{err}
	for _, s := range ended {
		if err := removeLeft(ctx, out, s); err != nil {
			s.Keep()
			errs = append(errs, fmt.Errorf("session %s, which was killed: %w; type the command again", s.ID, err))
			continue
		}
		errs = append(errs, s.End())
	}
	if kubeconfig != "" {
		now := time.Now()
		names, err := cluster.RemoveOrphans(ctx, kubeconfig, func(o metav1.Object) bool { return owned.Over(o, now) })
		say(out, names, "whose time is past")
		errs = append(errs, err)
	}
	if len(ended) == 0 {
		fmt.Fprintln(out, "no session on this machine was killed")
	}
	return errors.Join(errs...)
}

// removeLeft removes what one session left, by its mark alone.
func removeLeft(ctx context.Context, out io.Writer, s *owned.Session) error {
	killed, err := process.KillMarked(owned.Variable, s.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "session %s was killed: ended %d processes of its own\n", s.ID, killed)
	// Without the file nothing can be reached: what `stormproof up` held is gone with it.
	if _, err := os.Stat(s.Kubeconfig); s.Kubeconfig != "" && err == nil {
		names, err := cluster.RemoveOrphans(ctx, s.Kubeconfig, func(o metav1.Object) bool { return s.Has(o.GetLabels()[owned.Label]) })
		say(out, names, "of session "+s.ID)
		if err != nil {
			return err
		}
	}
	return removeFiles(out, s.Dir)
}

func say(out io.Writer, names []string, whose string) {
	for _, n := range names {
		fmt.Fprintf(out, "removed %s %s from the cluster\n", n, whose)
	}
}

// removeFiles removes from a report's folder what only lives with its session: the data of
// servers, and credentials. What was seen stays.
func removeFiles(out io.Writer, dir string) error {
	var doomed []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		parent, _ := filepath.Match("redis-*", filepath.Base(filepath.Dir(path)))
		plane, _ := filepath.Match("control-plane-*", d.Name())
		switch {
		case d.IsDir() && (plane || parent && d.Name() == "data"):
			doomed = append(doomed, path)
			return filepath.SkipDir
		case d.Name() == "kubeconfig":
			doomed = append(doomed, path)
		}
		return nil
	})
	errs := []error{err}
	for _, path := range doomed {
		fmt.Fprintf(out, "removed %s\n", path)
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}
