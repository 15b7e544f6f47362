// Package mutation proves that the catalogue can fail. A mutant is a small seeded bug of the
// gateway, written as an exact replacement in one source file, with the promise that it
// breaks and the scenarios that must notice. Kill builds the program with the bug in place
// and runs those scenarios: red means killed. The tree is never touched; the change is laid
// over it with Go's build overlay.
package mutation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
)

// Mutant is one file of fixtures/mutants.
type Mutant struct {
	Name string `yaml:"-"`
	// Promise that the bug breaks.
	Promise string `yaml:"promise"`
	// Why says in a line what a programmer would have done wrong.
	Why string `yaml:"why"`
	// File is relative to the root of the repository.
	File string `yaml:"file"`
	// Old stands in the file exactly once; New replaces it.
	Old string `yaml:"old"`
	New string `yaml:"new"`
	// KilledBy are the scenarios that must turn red.
	KilledBy []string `yaml:"killedBy"`
}

// Load reads all mutants of a folder, sorted by name.
func Load(dir string) ([]Mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("finding mutants: %w", err)
	}
	sort.Strings(paths)
	var out []Mutant
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading mutant: %w", err)
		}
		m := Mutant{Name: strings.TrimSuffix(filepath.Base(path), ".yaml")}
		if err := yaml.UnmarshalWithOptions(b, &m, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("reading mutant %s: %w", path, err)
		}
		if m.File == "" || m.Old == "" || m.Promise == "" || len(m.KilledBy) == 0 {
			return nil, fmt.Errorf("mutant %s: promise, file, old and killedBy must all be set", path)
		}
		out = append(out, m)
	}
	return out, nil
}

// Apply returns the mutated text. It fails when the old text is not there exactly once:
// then the gateway has moved on and the mutant must follow.
func (m Mutant) Apply(source string) (string, error) {
	if n := strings.Count(source, m.Old); n != 1 {
		return "", fmt.Errorf("mutant %s: its old text stands %d times in %s, must be once; adapt fixtures/mutants/%s.yaml", m.Name, n, m.File, m.Name)
	}
	return strings.Replace(source, m.Old, m.New, 1), nil
}

// Result is what became of a mutant.
type Result struct {
	Mutant
	Killed bool
	// Evidence is the first line of what the killers said.
	Evidence string
	Took     time.Duration
}

// Options for Kill.
type Options struct {
	// Root of the repository, and a scratch folder.
	Root, Dir string
	// System is how the gateway runs, as `run --system` takes it; "" is auto.
	System string
	// Log receives what the builds and runs print; it takes writes of both at once.
	Log io.Writer
}

// KillAll tries one mutant after the other and hands each result to done, until one could
// not be tried or done says to stop. While the scenarios of one run, mostly waiting, the
// next is built.
func KillAll(ctx context.Context, list []Mutant, o Options, done func(Result, error) error) error {
	type built struct {
		binary string
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	ahead := make(chan built)
	var builder sync.WaitGroup
	defer builder.Wait()
	defer cancel()
	builder.Go(func() {
		for _, m := range list {
			binary, err := build(ctx, m, o)
			select {
			case ahead <- built{binary, err}:
			case <-ctx.Done():
				return
			}
		}
	})
	for _, m := range list {
		begin := time.Now()
		b := <-ahead
		result, err := Result{Mutant: m}, b.err
		if err == nil {
			result, err = run(ctx, m, o, b.binary)
			// Programs are large, and there are many.
			err = errors.Join(err, os.Remove(b.binary))
		}
		result.Took = time.Since(begin)
		if err := done(result, err); err != nil {
			return err
		}
	}
	return nil
}

// run runs a mutant's killers.
func run(ctx context.Context, m Mutant, o Options, binary string) (Result, error) {
	out := Result{Mutant: m}
	cmd := exec.CommandContext(ctx, binary, "run", "--progress=none", "--output="+filepath.Join(o.Dir, m.Name, "reports"),
		"--id="+strings.Join(m.KilledBy, ","), "--system="+cmp.Or(o.System, "auto"))
	cmd.Dir = o.Root
	// What it builds in turn (the gateway as a program of its own) must be the mutant, too.
	cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -buildvcs=false -overlay="+filepath.Join(o.Dir, m.Name, "overlay.json"))
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&text, o.Log), o.Log
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out, nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		out.Evidence = evidence(text.String())
		out.Killed = out.Evidence != ""
		return out, nil
	default:
		return out, fmt.Errorf("running the scenarios against mutant %s: %w", m.Name, err)
	}
}

// evidence is the first scenario that failed for the system's sake: an environment or
// harness error kills nothing.
func evidence(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "failed ") && i+1 < len(lines) {
			id := strings.Fields(line)[1]
			return id + ": " + strings.TrimSpace(lines[i+1])
		}
	}
	return ""
}

func build(ctx context.Context, m Mutant, o Options) (string, error) {
	original := filepath.Join(o.Root, filepath.FromSlash(m.File))
	b, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("reading the file that mutant %s changes: %w", m.Name, err)
	}
	mutated, err := m.Apply(string(b))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(o.Dir, m.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the mutant's folder: %w", err)
	}
	replacement, overlay := filepath.Join(dir, filepath.Base(original)), filepath.Join(dir, "overlay.json")
	plan, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replacement}})
	if err != nil {
		return "", fmt.Errorf("encoding the overlay: %w", err)
	}
	err = errors.Join(os.WriteFile(replacement, []byte(mutated), 0o600), os.WriteFile(overlay, plan, 0o600))
	if err != nil {
		return "", fmt.Errorf("writing the mutant: %w", err)
	}
	binary := filepath.Join(dir, "stormproof")
	// No race detector: linking with it takes longer than most of the scenarios, and no seeded bug is a race.
	// Without DWARF: nobody debugs it, and linking is most of the time.
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-w", "-overlay", overlay, "-o", binary, "./harness/cmd/stormproof")
	cmd.Dir, cmd.Stdout, cmd.Stderr = o.Root, o.Log, o.Log
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building mutant %s (does it compile?): %w", m.Name, err)
	}
	return binary, nil
}
