package cluster

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// fakePrograms writes an etcd and a kube-apiserver that do what the scripts say.
func fakePrograms(t *testing.T, etcd, api string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range map[string]string{etcdProgram: etcd, apiServerProgram: api} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestControlPlaneThatDoesNotStartIsTriedAgainOpenly(t *testing.T) {
	g := NewWithT(t)
	dir, out := t.TempDir(), &bytes.Buffer{}
	programs := fakePrograms(t, `[ "$1" = --help ] || { echo "no space"; exit 1; }`, "exit 1")
	_, _, err := startPlane(t.Context(), Options{Dir: dir, Out: out}, programs)
	g.Expect(err).To(BeAssignableToTypeOf(&ErrUnavailable{}))
	g.Expect(err).To(MatchError(And(ContainSubstring("did not start in 3 tries"), ContainSubstring("etcd.log"))))
	g.Expect(strings.Count(out.String(), "to start the control plane failed")).To(Equal(3))
	log, err := os.ReadFile(filepath.Join(dir, "etcd.log"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(log)).To(Equal("no space\nno space\nno space\n"))
	left, err := filepath.Glob(filepath.Join(dir, "control-plane-*"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(BeEmpty())
}

func TestControlPlaneThatHangsEndsWithTheContext(t *testing.T) {
	g := NewWithT(t)
	exe, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	dir, programs := t.TempDir(), t.TempDir()
	for _, name := range []string{etcdProgram, apiServerProgram} {
		g.Expect(os.Symlink(exe, filepath.Join(programs, name))).To(Succeed())
	}
	up := filepath.Join(dir, "up")
	t.Setenv(hangEnv, up)

	ctx, cancel := context.WithCancel(t.Context())
	p, err := newPlane(dir, programs)
	g.Expect(err).NotTo(HaveOccurred())
	done := make(chan error, 1)
	go func() { done <- p.start(ctx) }()
	g.Eventually(up, "5s", "5ms").Should(BeAnExistingFile())
	g.Expect(p.children()).To(HaveLen(2), "etcd is found, under both names of the one program here")
	cancel()
	g.Eventually(done, "10s").Should(Receive(HaveOccurred()))
	g.Eventually(p.children, "5s", "5ms").Should(BeEmpty())
	g.Expect(p.stop()).To(Succeed(), "a second stop does nothing")
}
