package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Unpacked is a program from a distribution's package that was not installed.
type Unpacked struct {
	// Program is the path to run.
	Program string
	// LibPath is for LD_LIBRARY_PATH: the shared libraries that came with it.
	LibPath string
}

// DebianCached returns the program if an earlier call of Debian left it in the cache.
func DebianCached(cacheDir, pkg, program string) (Unpacked, bool, error) {
	dir, err := debianDir(cacheDir, pkg)
	if err != nil {
		return Unpacked{}, false, err
	}
	path := filepath.Join(dir, "usr", "bin", program)
	if !Executable(path) {
		return Unpacked{}, false, nil
	}
	libs, err := libraryDirs(dir)
	if err != nil {
		return Unpacked{}, false, err
	}
	return Unpacked{Program: path, LibPath: strings.Join(libs, ":")}, true, nil
}

// Debian returns the program of a Debian (or Ubuntu) package from the cache, and fills the
// cache from the package sources of this machine if need be: the package, and those that
// it depends on and that are not installed, are downloaded and unpacked. Nothing is
// installed and root is not needed. Errors are *Unavailable, or the error of ctx.
func Debian(ctx context.Context, cacheDir, pkg, program string, out io.Writer) (Unpacked, error) {
	got, ok, err := DebianCached(cacheDir, pkg, program)
	if ok || err != nil {
		return got, err
	}
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return Unpacked{}, &Unavailable{What: pkg, Reason: "this is no Debian-like system: no " + tool,
				Fix: "install " + program + " so that it is on PATH", Err: err}
		}
	}
	dir, err := debianDir(cacheDir, pkg)
	if err != nil {
		return Unpacked{}, err
	}
	err = locked(ctx, dir+".lock", out, func() error {
		if Executable(filepath.Join(dir, "usr", "bin", program)) {
			return nil
		}
		say(out, "%s: downloading the package into %s; nothing is installed\n", pkg, dir)
		return stage(dir, func(tmp string) error { return unpack(ctx, tmp, pkg, program) })
	})
	switch {
	case ctx.Err() != nil:
		return Unpacked{}, fmt.Errorf("downloading the package %s: %w", pkg, ctx.Err())
	case err != nil:
		return Unpacked{}, &Unavailable{What: pkg, Reason: "the package could not be downloaded and unpacked",
			Fix: "run apt-get install " + pkg + ", or check the network and the free disk space", Err: err}
	}
	got, ok, err = DebianCached(cacheDir, pkg, program)
	if err == nil && !ok {
		err = errors.New("the package vanished from the cache while it was in use")
	}
	return got, err
}

func debianDir(cacheDir, pkg string) (string, error) {
	if cacheDir == "" {
		var err error
		if cacheDir, err = DefaultCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(cacheDir, "debian", pkg+"-"+runtime.GOARCH), nil
}

// unpack fills tmp with the files of the package and of what it misses.
func unpack(ctx context.Context, tmp, pkg, program string) error {
	debs := filepath.Join(tmp, "debs")
	if err := os.Mkdir(debs, 0o755); err != nil {
		return err
	}
	options, names, err := resolve(ctx, debs, pkg)
	if err != nil {
		return err
	}
	if _, err := run(ctx, debs, "apt-get", slices.Concat(options, []string{"download"}, names)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range files {
		if _, err := run(ctx, debs, "dpkg-deb", "-x", deb, tmp); err != nil {
			return err
		}
	}
	if path := filepath.Join(tmp, "usr", "bin", program); !Executable(path) {
		return fmt.Errorf("no program %s in the packages %s", program, strings.Join(names, ", "))
	}
	return os.RemoveAll(debs)
}

// resolve returns the packages to download, and the options of apt-get that find them: with
// the machine's own lists of packages, else with lists of our own.
func resolve(ctx context.Context, dir, pkg string) (options, names []string, err error) {
	quick := []string{"-qq", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10", "-o", "Acquire::Retries=1"}
	names, first := missing(ctx, dir, quick, pkg)
	if first == nil {
		return quick, names, nil
	}
	lists, cache := filepath.Join(dir, "lists"), filepath.Join(dir, "cache")
	for _, d := range []string{filepath.Join(lists, "partial"), filepath.Join(cache, "archives", "partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, nil, err
		}
	}
	own := slices.Concat(quick, []string{"-o", "Dir::State::Lists=" + lists, "-o", "Dir::Cache=" + cache})
	if _, err := run(ctx, dir, "apt-get", slices.Concat(own, []string{"update"})...); err != nil {
		return nil, nil, errors.Join(first, err)
	}
	names, err = missing(ctx, dir, own, pkg)
	return own, names, err
}

// missing asks apt what an installation would download.
func missing(ctx context.Context, dir string, options []string, pkg string) ([]string, error) {
	out, err := run(ctx, dir, "apt-get", slices.Concat(options,
		[]string{"install", "--print-uris", "--yes", "--no-install-recommends", pkg})...)
	if err != nil {
		return nil, err
	}
	names := packageNames(out)
	if !slices.Contains(names, pkg) {
		return nil, fmt.Errorf("apt-get offers no download of %s; it may be installed already", pkg)
	}
	return names, nil
}

// packageNames reads the lines 'uri' name_version_arch.deb size hash.
func packageNames(printed string) []string {
	var names []string
	for line := range strings.Lines(printed) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.HasPrefix(f[0], "'") {
			continue
		}
		if name, _, ok := strings.Cut(f[1], "_"); ok {
			names = append(names, name)
		}
	}
	return names
}

func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	said := &lines{}
	cmd.Stderr = said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running %s: %w: %s", name, err, said.Tail())
	}
	return string(out), nil
}

// libraryDirs are the folders below root that hold shared libraries.
func libraryDirs(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		if !d.IsDir() && strings.Contains(d.Name(), ".so") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for libraries in %s: %w", root, err)
	}
	return dirs, nil
}
