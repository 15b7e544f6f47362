package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/stormproof/stormproof/harness/internal/process"
)

// script makes a program of shell.
func script(t *testing.T, dir, name, body string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestControllersAreTakenFromTheFolderOfAssetsFirst(t *testing.T) {
	dir := t.TempDir()
	want := script(t, dir, controllersProgram, "exit 0")
	got, err := controllersPath(t.Context(), Options{CacheDir: t.TempDir()}, dir)
	if err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	t.Setenv("PATH", t.TempDir()) // nothing to compile with
	_, err = controllersPath(t.Context(), Options{CacheDir: t.TempDir()}, t.TempDir())
	if u, ok := errors.AsType[*ErrUnavailable](err); !ok || u.Fix == "" {
		t.Errorf("got %v, want what to do", err)
	}
}

func TestControllersThatEndAtOnceAreAnError(t *testing.T) {
	g, dir := NewWithT(t), t.TempDir()
	_, err := startControllers(t.Context(), dir, script(t, dir, "program", `echo "$1"; exit 3`), "/kubeconfig")
	g.Expect(err).To(MatchError(And(ContainSubstring("it ended at once: exit status 3"), ContainSubstring(controllersProgram+".log"))))
	log, err := os.ReadFile(filepath.Join(dir, controllersProgram+".log"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(log)).To(Equal("--kubeconfig=/kubeconfig\n"))
}

func TestControllersThatEndedByThemselvesAreToldWhenTheyAreStopped(t *testing.T) {
	tests := map[string]struct {
		body  string
		ended bool
	}{
		"one that runs is stopped":   {"exec sleep 300", false},
		"one that ended is an error": {"exit 1", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g, dir := NewWithT(t), t.TempDir()
			log, err := logFile(dir, controllersProgram)
			g.Expect(err).NotTo(HaveOccurred())
			proc, err := process.Start(context.Background(), process.Spec{Path: script(t, dir, "program", tc.body)})
			g.Expect(err).NotTo(HaveOccurred())
			if tc.ended {
				<-proc.Done()
			}
			err = (&controllers{proc: proc, log: log}).stop()
			g.Expect(proc.Done()).To(BeClosed())
			if tc.ended {
				g.Expect(err).To(MatchError(ContainSubstring("ended by itself: exit status 1")))
			} else {
				g.Expect(err).NotTo(HaveOccurred())
			}
		})
	}
}
