package binaries

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestLockedMakesOthersWaitAndSaySo(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "sub", "x.lock")
	inside, leave := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- locked(t.Context(), path, nil, func() error { close(inside); <-leave; return nil })
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	out, second := &lines{}, make(chan error, 1)
	go func() { second <- locked(ctx, path, out, func() error { return errors.New("must not run") }) }()
	g.Eventually(out.Tail, "5s", "1ms").Should(ContainSubstring("waiting for another stormproof"))
	cancel()
	g.Expect(<-second).To(MatchError(context.Canceled))
	close(leave)
	g.Expect(<-first).To(Succeed())
	g.Expect(locked(t.Context(), path, &bytes.Buffer{}, func() error { return nil })).To(Succeed())
}

func TestStageShowsNothingOrEverything(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]struct {
		fail error
		want []string
	}{
		"a filled folder replaces an incomplete one": {nil, []string{"entry"}},
		"a failed one leaves the old as it was":      {broken, []string{"entry"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			root := t.TempDir()
			dir := filepath.Join(root, "entry")
			g.Expect(os.MkdirAll(filepath.Join(dir, "old"), 0o755)).To(Succeed())
			g.Expect(os.MkdirAll(filepath.Join(dir+".partial", "stale"), 0o755)).To(Succeed())
			err := stage(dir, func(tmp string) error {
				g.Expect(names(t, tmp)).To(BeEmpty(), "what a killed process left was removed")
				g.Expect(os.Mkdir(filepath.Join(tmp, "new"), 0o555)).To(Succeed())
				return tc.fail
			})
			g.Expect(errors.Is(err, tc.fail)).To(BeTrue())
			g.Expect(names(t, root)).To(Equal(tc.want))
			content := "new"
			if tc.fail != nil {
				content = "old"
			}
			g.Expect(names(t, dir)).To(Equal([]string{content}))
		})
	}
}

func TestUnavailableTellsWhatWhyAndTheFix(t *testing.T) {
	u := &Unavailable{What: "redis", Reason: "not here", Fix: "bring it", Err: os.ErrNotExist}
	if want := "redis: not here: file does not exist; to fix it: bring it"; u.Error() != want {
		t.Errorf("got %q, want %q", u.Error(), want)
	}
	if !errors.Is(u, os.ErrNotExist) {
		t.Error("the cause is lost")
	}
}

func TestLinesCountsAndKeepsTheLast(t *testing.T) {
	g := NewWithT(t)
	l := &lines{}
	for _, part := range []string{"fir", "st\n", strings.Repeat("more\n", keptLines), "unfinished"} {
		_, err := l.Write([]byte(part))
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(l.Count()).To(Equal(keptLines + 1))
	g.Expect(l.Tail()).To(Equal(strings.Repeat("more\n", keptLines) + "unfinished"))
}
