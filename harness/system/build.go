package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Source is a Go program to be compiled.
type Source struct {
	// Dir is the folder in which Package is looked up; Package is a path as go build takes it.
	Dir, Package string
	// Tags are build tags; Race switches the race detector on.
	Tags []string
	Race bool
	// Static makes a small program for Linux that needs no library, as an image without a
	// base must; it cannot have the race detector.
	Static bool
}

// BuildError says that a program does not compile, with what the compiler said.
type BuildError struct {
	Source Source
	Output string
	Err    error
}

// Error names the package and shows the compiler's words.
func (e *BuildError) Error() string {
	return fmt.Sprintf("building %s in %s: %v\n%s", e.Source.Package, e.Source.Dir, e.Err, e.Output)
}

// Unwrap returns the cause.
func (e *BuildError) Unwrap() error { return e.Err }

// Build compiles a program to path; go's own cache makes a second time cheap.
func Build(ctx context.Context, s Source, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the folder for programs: %w", err)
	}
	args := []string{"build", "-buildvcs=false", "-ldflags=-w", "-o", path} // no DWARF: it is linked for each mutant
	for _, tag := range s.Tags {
		args = append(args, "-tags="+tag)
	}
	if s.Race {
		args = append(args, "-race")
	}
	var env []string
	if s.Static {
		args = append(args, "-trimpath", "-ldflags=-s -w")
		env = []string{"CGO_ENABLED=0", "GOOS=linux"}
	}
	cmd := exec.CommandContext(ctx, "go", append(args, s.Package)...)
	cmd.Dir, cmd.Env = s.Dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return &BuildError{Source: s, Output: string(out), Err: err}
	}
	return nil
}
