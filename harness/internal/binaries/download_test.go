package binaries

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// archive is a setup-envtest archive with the given programs.
func archive(t *testing.T, programs ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	files := tar.NewWriter(zip)
	for _, name := range programs {
		if err := files.WriteHeader(&tar.Header{Name: "controller-tools/envtest/" + name, Typeflag: tar.TypeReg, Mode: 0o755, Size: 2}); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write([]byte("#!")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(files.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// serve offers the archive as the given version, with the given hash or the true one.
func serve(t *testing.T, version string, body []byte, hash string) string {
	t.Helper()
	if hash == "" {
		hash = fmt.Sprintf("%x", sha512.Sum512(body))
	}
	name := fmt.Sprintf("envtest-v%s-%s-%s.tar.gz", version, runtime.GOOS, runtime.GOARCH)
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.HandleFunc("/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "releases:\n  v%s:\n    %s:\n      hash: %s\n      selfLink: %s/a\n", version, name, hash, srv.URL)
	})
	mux.HandleFunc("/a", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	return srv.URL + "/index.yaml"
}

func TestDownloadControlPlaneUnpacksBothProgramsOnce(t *testing.T) {
	cache := t.TempDir()
	index := serve(t, "1.37.9", archive(t, "kube-apiserver", "etcd", "kubectl"), "")
	dir, err := downloadControlPlane(t.Context(), cache, index, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !Executable(filepath.Join(dir, "kube-apiserver")) || !Executable(filepath.Join(dir, "etcd")) {
		t.Errorf("no programs in %s", dir)
	}
	again, err := downloadControlPlane(t.Context(), cache, "http://127.0.0.1:0/nothing", io.Discard)
	if err != nil || again != dir {
		t.Errorf("the second call returned %q, %v; want %q", again, err, dir)
	}
	// The store makes its folders read-only, which must not keep a test from cleaning up.
	if err := removeAll(filepath.Join(cache, "envtest")); err != nil {
		t.Error(err)
	}
}

func TestDownloadControlPlaneThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	whole := archive(t, "kube-apiserver", "etcd")
	tests := map[string]struct {
		index func(t *testing.T) string
		says  string
	}{
		"an index that does not answer":   {func(*testing.T) string { return "http://127.0.0.1:0/" }, "reading the list of archives"},
		"no archive of this Kubernetes":   {func(t *testing.T) string { return serve(t, "1.36.1", whole, "") }, "no archive of Kubernetes 1.37"},
		"an archive with another content": {func(t *testing.T) string { return serve(t, "1.37.1", whole, "00ff") }, "checksum"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			_, err := downloadControlPlane(t.Context(), cache, tc.index(t), io.Discard)
			u, ok := errors.AsType[*Unavailable](err)
			if !ok || !strings.Contains(u.Error(), tc.says) || !strings.Contains(u.Fix, "KUBEBUILDER_ASSETS") {
				t.Errorf("got %v", err)
			}
			for _, left := range names(t, filepath.Join(cache, "envtest")) {
				if !strings.HasSuffix(left, ".lock") {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}
