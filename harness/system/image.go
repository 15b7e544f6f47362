package system

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// imageRepository is at no registry: the image is put on the nodes and never pulled.
	imageRepository = "stormproof.dev/system"
	// ImageProgram is the path of the program inside of an Image.
	ImageProgram = "/program"
	imageLabel   = "stormproof.dev/image"
	// nobody is the user that an image runs as, by number, so that Kubernetes can see that it
	// is not root.
	nobody = 65532
)

// Image is a static program as a container image of one layer, without a base.
type Image struct {
	// Name follows from the program's bytes: the same program has the same name.
	Name string

	image v1.Image
}

// NewImage packs a program that needs nothing but the kernel.
func NewImage(program string) (Image, error) {
	b, err := os.ReadFile(program)
	if err != nil {
		return Image{}, fmt.Errorf("reading the program for an image: %w", err)
	}
	sum := sha256.Sum256(b)
	i := Image{Name: imageRepository + ":" + hex.EncodeToString(sum[:8])}
	if i.image, err = pack(b); err != nil {
		return Image{}, fmt.Errorf("making an image of %s: %w", program, err)
	}
	return i, nil
}

func pack(program []byte) (v1.Image, error) {
	layer, err := onlyFile(ImageProgram, program)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer(layer, types.DockerUncompressedLayer))
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy() // it knows the layer
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: []string{ImageProgram}, User: strconv.Itoa(nobody), Labels: map[string]string{imageLabel: "system"}}
	return mutate.ConfigFile(image, config)
}

// onlyFile is an archive of one executable file. Its times are zero: the same program makes
// the same image.
func onlyFile(path string, content []byte) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path[1:], Mode: 0o755, Size: int64(len(content))})
	if err == nil {
		_, err = w.Write(content)
	}
	return out.Bytes(), errors.Join(err, w.Close())
}

// Write writes the image as `docker save` does.
func (i Image) Write(w io.Writer) error {
	tag, err := name.NewTag(i.Name)
	if err == nil {
		err = tarball.Write(tag, i.image, w)
	}
	if err != nil {
		return fmt.Errorf("writing the image %s: %w", i.Name, err)
	}
	return nil
}
