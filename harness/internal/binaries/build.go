package binaries

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// diskFullMB is the free space below which a failed build is put down to a full disk: the
// linker's temporary files are larger than this.
const diskFullMB = 300

// progressEvery is the time between two lines of progress.
const progressEvery = 15 * time.Second

// Build returns the folder with the recipe's programs, and compiles them into the cache if
// they are not there. Progress goes to out in plain lines. Errors are *Unavailable, or the
// error of ctx.
func Build(ctx context.Context, cacheDir string, r Recipe, out io.Writer) (string, error) {
	dir, err := r.Dir(cacheDir)
	if err != nil {
		return "", err
	}
	if r.Cached(dir) {
		return dir, nil
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", &Unavailable{What: r.Name, Reason: "it must be compiled, and there is no go on PATH",
			Fix: fix("install Go from https://go.dev/dl and put its bin folder on PATH", r.Instead), Err: err}
	}
	err = locked(ctx, dir+".lock", out, func() error {
		if r.Cached(dir) {
			return nil // another process built it while we waited
		}
		return stage(dir, func(tmp string) error {
			return (&builder{recipe: r, goTool: goTool, tmp: tmp, out: out, every: progressEvery}).run(ctx)
		})
	})
	switch {
	case err == nil:
		return dir, nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("building %s: %w", r.Name, ctx.Err())
	default:
		return "", explain(r, dir, err)
	}
}

// explain makes sure that whatever went wrong comes with a reason and a fix.
func explain(r Recipe, dir string, err error) error {
	if _, ok := errors.AsType[*Unavailable](err); ok {
		return err
	}
	return &Unavailable{What: r.Name, Reason: "the cache folder cannot be used", Err: err,
		Fix: fix("make "+filepath.Dir(dir)+" writable, or choose another cache folder with XDG_CACHE_HOME", r.Instead)}
}

func fix(first, instead string) string {
	if instead == "" {
		return first
	}
	return first + ", or " + instead
}

// ControlPlane returns the folder with kube-apiserver and etcd, built if need be.
func ControlPlane(ctx context.Context, cacheDir string, out io.Writer) (string, error) {
	r, err := ControlPlaneRecipe()
	if err != nil {
		return "", err
	}
	return Build(ctx, cacheDir, r, out)
}

// ControllerManager returns the path of kube-controller-manager, built if need be.
func ControllerManager(ctx context.Context, cacheDir string, out io.Writer) (string, error) {
	r, err := ControllerManagerRecipe()
	return single(ctx, cacheDir, r, err, out)
}

// Alertmanager returns the path of alertmanager, built if need be.
func Alertmanager(ctx context.Context, cacheDir string, out io.Writer) (string, error) {
	r, err := AlertmanagerRecipe()
	return single(ctx, cacheDir, r, err, out)
}

// single returns the path of the only program of a recipe that was loaded with err.
func single(ctx context.Context, cacheDir string, r Recipe, err error, out io.Writer) (string, error) {
	if err != nil {
		return "", err
	}
	dir, err := Build(ctx, cacheDir, r, out)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, r.Programs[0].Name), nil
}

// builder makes one recipe inside tmp.
type builder struct {
	recipe Recipe
	goTool string
	tmp    string
	out    io.Writer
	every  time.Duration
}

func (b *builder) run(ctx context.Context) error {
	r := b.recipe
	free, err := FreeMB(b.tmp)
	if err != nil {
		return err
	}
	if free < diskFullMB {
		return b.diskFull(free, nil)
	}
	say(b.out, "%s %s: compiling %s; this happens once and takes %s\n", r.Name, r.Version, programs(r), r.Takes)
	if free < r.NeedMB {
		say(b.out, "%s: %d MB are free, and a first build needs about %d MB\n", r.Name, free, r.NeedMB)
	}
	module := filepath.Join(b.tmp, "module")
	for _, dir := range []string{module, filepath.Join(b.tmp, "work")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	for name, body := range map[string][]byte{"go.mod": r.GoMod, "go.sum": r.GoSum} {
		if err := os.WriteFile(filepath.Join(module, name), body, 0o644); err != nil {
			return err
		}
	}
	began := time.Now()
	for _, p := range r.Programs {
		if err := b.program(ctx, module, p); err != nil {
			return err
		}
	}
	say(b.out, "%s: done in %s\n", r.Name, time.Since(began).Round(time.Second))
	return errors.Join(removeAll(module), removeAll(filepath.Join(b.tmp, "work")))
}

// program fetches first and compiles second, so that the step that fails says whether the
// network or the compiler is to blame.
func (b *builder) program(ctx context.Context, module string, p Program) error {
	label := b.recipe.Name + ": " + p.Name
	list := b.command(ctx, module, "list", "-deps", "-f", "{{.ImportPath}}", p.Package)
	packages, problems := &lines{}, &lines{}
	list.Stdout, list.Stderr = packages, problems
	if err := b.follow(list, func() string { return label + ": fetching modules" }); err != nil {
		return b.failed(ctx, label+": its modules could not be fetched",
			"check that the network or a module proxy is reachable (go env GOPROXY GONOSUMDB GOFLAGS)", problems, err)
	}
	built := &lines{}
	build := b.command(ctx, module, "build", "-v", "-trimpath", "-buildvcs=false",
		"-ldflags", strings.TrimSpace("-s -w "+p.LDFlags), "-o", filepath.Join(b.tmp, p.Name), p.Package)
	build.Stdout, build.Stderr = built, built
	status := func() string {
		return fmt.Sprintf("%s: %d packages compiled, of at most %d", label, built.Count(), packages.Count())
	}
	if err := b.follow(build, status); err != nil {
		return b.failed(ctx, label+": it does not compile", "see the compiler's output; `go clean -cache` helps where Go's build cache is damaged", built, err)
	}
	return nil
}

// command is a go command that nothing in the user's settings can bend, except where
// modules come from and where Go keeps its caches.
func (b *builder) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.goTool, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=on",
		"GOOS=", "GOARCH=", "GOEXPERIMENT=", "GOTMPDIR="+filepath.Join(b.tmp, "work"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// follow runs the command and prints its status from time to time.
func (b *builder) follow(cmd *exec.Cmd, status func() string) error {
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			say(b.out, "%s, %s\n", status(), time.Since(began).Round(time.Second))
		}
	}
}

func (b *builder) failed(ctx context.Context, reason, remedy string, output *lines, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if free, statErr := FreeMB(b.tmp); statErr == nil && free < diskFullMB {
		return b.diskFull(free, err)
	}
	return &Unavailable{What: b.recipe.Name, Reason: reason, Fix: fix(remedy, b.recipe.Instead),
		Err: fmt.Errorf("%w\n%s", err, output.Tail())}
}

func (b *builder) diskFull(free int, err error) error {
	return &Unavailable{What: b.recipe.Name, Err: err,
		Reason: fmt.Sprintf("the disk is full: %d MB are free where %s is", free, filepath.Dir(b.tmp)),
		Fix: fix(fmt.Sprintf("free about %d MB, or choose a cache folder on another disk with XDG_CACHE_HOME and GOCACHE", b.recipe.NeedMB),
			b.recipe.Instead)}
}

func programs(r Recipe) string {
	names := make([]string, 0, len(r.Programs))
	for _, p := range r.Programs {
		names = append(names, p.Name)
	}
	return strings.Join(names, " and ")
}
