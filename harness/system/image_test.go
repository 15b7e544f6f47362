package system

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	. "github.com/onsi/gomega"
)

func imageOf(t *testing.T, content string) Image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	i, err := NewImage(path)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestAnImageHoldsTheProgramAloneAndIsNotRoot(t *testing.T) {
	g := NewWithT(t)
	i := imageOf(t, "#!program")
	var archive bytes.Buffer
	g.Expect(i.Write(&archive)).To(Succeed())
	read, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil }, nil)
	g.Expect(err).NotTo(HaveOccurred())
	config, err := read.ConfigFile()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(config.Config.User).To(Equal("65532"))
	g.Expect(config.Config.Entrypoint).To(Equal([]string{"/program"}))
	g.Expect(config.OS).To(Equal("linux"))
	layers, err := read.Layers()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(layers).To(HaveLen(1))
	content, err := layers[0].Uncompressed()
	g.Expect(err).NotTo(HaveOccurred())
	files := tar.NewReader(content)
	header, err := files.Next()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(header.Name).To(Equal("program"))
	g.Expect(header.FileInfo().Mode().Perm()).To(Equal(os.FileMode(0o755)))
	g.Expect(io.ReadAll(files)).To(BeEquivalentTo("#!program"))
	_, err = files.Next()
	g.Expect(err).To(MatchError(io.EOF))
}

func TestTheSameProgramIsTheSameImageAndAnotherIsAnother(t *testing.T) {
	g := NewWithT(t)
	one, same, other := imageOf(t, "a"), imageOf(t, "a"), imageOf(t, "b")
	g.Expect(same.Name).To(Equal(one.Name))
	g.Expect(other.Name).NotTo(Equal(one.Name))
	g.Expect(strings.Split(one.Name, ":")).To(HaveLen(2))
	var a, b bytes.Buffer
	g.Expect(one.Write(&a)).To(Succeed())
	g.Expect(same.Write(&b)).To(Succeed())
	g.Expect(bytes.Equal(a.Bytes(), b.Bytes())).To(BeTrue(), "an image must not depend on when it is made")
}

func TestAnImageOfNothingIsAnError(t *testing.T) {
	_, err := NewImage(filepath.Join(t.TempDir(), "nothing"))
	NewWithT(t).Expect(err).To(MatchError(os.ErrNotExist))
}
