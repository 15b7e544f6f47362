// Command mutate lets a general mutation tester, gremlins, change one operator after another in
// the packages that decide, runs the package's own unit tests on each change, and says which
// change no test noticed: `make mutate`. The seeded bugs of fixtures/mutants ask the same of the
// scenarios; nobody chose the bugs here.
//
// gremlins works on a copy of the tree and calls the go command. It meets this program under
// that name: see standIn for what is done better than it asks. The program exits with 1 where
// a package is under its floor, and with 2 where it could not find out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// floors are the packages and the least score of each, in percent: what was measured, rounded
// down. They only rise; docs/mutation.md has the measurements.
var floors = []floor{
	{"./gateway/window", 100},
	{"./gateway/remediation", 84},
	{"./harness/judge", 89},
}

type floor struct {
	pkg   string
	least int
}

const output = "reports/mutate"

// kinds are the changes that gremlins makes beyond its default. What is off: a minus that is
// inverted is a change of arithmetic already, and a & that is inverted is an address mostly.
var kinds = []string{"--invert-logical", "--invert-loopctrl", "--invert-assignments", "--remove-self-assignments",
	"--invert-negatives=false", "--invert-bitwise=false", "--invert-bwassign=false"}

func main() {
	if filepath.Base(os.Args[0]) == "go" {
		os.Exit(standIn(os.Args[1:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var r runner
	flag.StringVar(&r.gremlins, "gremlins", "gremlins", "the mutation tester's program")
	flag.IntVar(&r.workers, "workers", 2, "how many mutants are tried at the same time")
	flag.DurationVar(&r.within, "within", time.Hour, "how long one package may take")
	flag.Parse()
	code, err := r.all(ctx, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	os.Exit(code)
}

type runner struct {
	gremlins string
	workers  int
	within   time.Duration
	// root holds the copy of the tree, the go command's stand-in, and what gremlins writes.
	root string
}

// all returns the exit code, and the error that needs to be said.
func (r *runner) all(ctx context.Context, names []string) (code int, err error) {
	chosen, err := choose(names)
	if err != nil {
		return 2, err
	}
	if r.root, err = os.MkdirTemp("", "mutate-"); err != nil {
		return 2, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.root)) }()
	if err := r.prepare(ctx); err != nil {
		return 2, err
	}
	var results []result
	for _, f := range chosen {
		fmt.Println("== " + f.pkg)
		one, err := r.mutate(ctx, f)
		if err != nil {
			return 2, fmt.Errorf("%s: %w", f.pkg, err)
		}
		results = append(results, one)
	}
	text, green := table(results)
	fmt.Print("\n" + text)
	if err := os.WriteFile(filepath.Join(output, "report.txt"), []byte(text), 0o644); err != nil {
		return 2, err
	}
	if !green {
		return 1, nil
	}
	return 0, nil
}

// choose finds the packages that are named, all when none is.
func choose(names []string) ([]floor, error) {
	if len(names) == 0 {
		return floors, nil
	}
	var out []floor
	for _, name := range names {
		n := len(out)
		for _, f := range floors {
			if filepath.Clean(f.pkg) == filepath.Clean(name) {
				out = append(out, f)
			}
		}
		if len(out) == n {
			return nil, fmt.Errorf("package %s has no floor: name one of those in ci/mutate/main.go, or add it there", name)
		}
	}
	return out, nil
}

// prepare copies what git knows of the tree, so that neither reports nor programs are copied
// for each worker, and puts the stand-in where gremlins finds it.
func (r *runner) prepare(ctx context.Context) error {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("listing the files of the tree: %w", err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		raw, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and git was not told
		}
		to := filepath.Join(r.root, "tree", name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = os.WriteFile(to, raw, 0o644)
		}
		if err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Join(r.root, "bin"), filepath.Join(r.root, "tmp"), output} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return os.Symlink(self, filepath.Join(r.root, "bin", "go"))
}

// mutate runs gremlins over a package. The deadline of a mutant is the stand-in's part, so
// gremlins gets one that it does not reach.
func (r *runner) mutate(ctx context.Context, f floor) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return result{}, err
	}
	file, err := filepath.Abs(filepath.Join(output, filepath.Base(f.pkg)+".json"))
	if err != nil {
		return result{}, err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result{}, err
	}
	notes := filepath.Join(r.root, filepath.Base(f.pkg)+".notes")
	args := append([]string{"unleash", "--workers", strconv.Itoa(r.workers), "--timeout-coefficient", "1000",
		"--output-statuses", "lc", "--output", file}, kinds...)
	cmd := exec.CommandContext(ctx, r.gremlins, append(args, f.pkg)...)
	cmd.Dir = filepath.Join(r.root, "tree")
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(r.root, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"TMPDIR="+filepath.Join(r.root, "tmp"), goVariable+"="+goCommand, notesVariable+"="+notes)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = testsWithin
	if err := cmd.Run(); err != nil {
		return result{}, fmt.Errorf("gremlins: %w", err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return result{}, fmt.Errorf("gremlins left no report: %w", err)
	}
	said, err := os.ReadFile(notes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result{}, err
	}
	slow := 0
	for line := range strings.Lines(string(said)) {
		if line != hung+"\n" {
			return result{}, fmt.Errorf("a mutant could not be tried: %s", line)
		}
		slow++
	}
	return parse(f, raw, slow)
}
