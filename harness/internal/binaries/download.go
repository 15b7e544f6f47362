package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/tools/setup-envtest/remote"
	"sigs.k8s.io/controller-runtime/tools/setup-envtest/store"
	"sigs.k8s.io/controller-runtime/tools/setup-envtest/versions"
)

const (
	// indexTimeout is short: without a network the programs are compiled instead, and
	// nobody should wait long to learn that.
	indexTimeout   = 20 * time.Second
	archiveTimeout = 5 * time.Minute
	// downloadSeries is what a download may be of: the newest patch is as good as ours.
	downloadMajor, downloadMinor = 1, 37
)

// DownloadedControlPlane returns the folder that an earlier DownloadControlPlane filled, or
// "" when there is none.
func DownloadedControlPlane(cacheDir string) (string, error) {
	dir, err := downloadDir(cacheDir)
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "k8s", "*", "kube-apiserver"))
	if err != nil {
		return "", err
	}
	for _, path := range found {
		if Executable(path) && Executable(filepath.Join(filepath.Dir(path), "etcd")) {
			return filepath.Dir(path), nil
		}
	}
	return "", nil
}

// DownloadControlPlane fetches the archive of kube-apiserver and etcd that setup-envtest
// uses, checks its hash, and unpacks it into the cache. Errors are *Unavailable, or the
// error of ctx.
func DownloadControlPlane(ctx context.Context, cacheDir string, out io.Writer) (string, error) {
	return downloadControlPlane(ctx, cacheDir, remote.DefaultIndexURL, out)
}

func downloadControlPlane(ctx context.Context, cacheDir, index string, out io.Writer) (string, error) {
	dir, err := downloadDir(cacheDir)
	if err != nil {
		return "", err
	}
	err = locked(ctx, dir+".lock", out, func() error {
		if got, err := DownloadedControlPlane(cacheDir); err != nil || got != "" {
			return err
		}
		return fetch(ctx, dir, &remote.HTTPClient{Log: logr.Discard(), IndexURL: index}, out)
	})
	if err == nil {
		var got string
		if got, err = DownloadedControlPlane(cacheDir); err == nil && got != "" {
			return got, nil
		}
		err = errors.Join(errors.New("the archive lacks kube-apiserver or etcd"), err)
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("downloading the control plane: %w", ctx.Err())
	}
	return "", &Unavailable{What: "controlplane", Reason: "setup-envtest's archive cannot be downloaded",
		Fix: "check that " + index + " is reachable, or set KUBEBUILDER_ASSETS", Err: err}
}

func downloadDir(cacheDir string) (string, error) {
	if cacheDir == "" {
		var err error
		if cacheDir, err = DefaultCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(cacheDir, "envtest", fmt.Sprintf("%d.%d", downloadMajor, downloadMinor)), nil
}

func fetch(ctx context.Context, dir string, client *remote.HTTPClient, out io.Writer) error {
	list, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	sets, err := client.ListVersions(list)
	if err != nil {
		return fmt.Errorf("reading the list of archives: %w", err)
	}
	version, platform, err := newest(sets, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return err
	}
	say(out, "controlplane: downloading Kubernetes %s from setup-envtest's archives\n", version)
	get, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	return stage(dir, func(tmp string) error {
		path := filepath.Join(tmp, "archive.tar.gz")
		if err := save(path, func(w io.Writer) error { return client.GetVersion(get, version, platform, w) }); err != nil {
			return err
		}
		archive, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = archive.Close() }() // only read
		item := store.Item{Version: version, Platform: platform.Platform}
		if err := store.NewAt(tmp).Add(logr.NewContext(get, logr.Discard()), item, archive); err != nil {
			return err
		}
		return os.Remove(path)
	})
}

func save(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// newest picks the archive for this machine; the sets come newest first.
func newest(sets []versions.Set, goos, goarch string) (versions.Concrete, versions.PlatformItem, error) {
	for _, s := range sets {
		if s.Version.Major != downloadMajor || s.Version.Minor != downloadMinor {
			continue
		}
		for _, p := range s.Platforms {
			if p.OS == goos && p.Arch == goarch {
				return s.Version, p, nil
			}
		}
	}
	return versions.Concrete{}, versions.PlatformItem{}, fmt.Errorf("no archive of Kubernetes %d.%d for %s/%s",
		downloadMajor, downloadMinor, goos, goarch)
}
