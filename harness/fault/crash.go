package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Process is the target of crashes: a replica of the system itself.
const Process = "process"

// Crash is the kind of a crash at a named step of the program.
const Crash = "crash"

// Panics is the kind of a panic there: the program goes on, and answers.
const Panics = "panic"

// crash is an armed crash point.
type crash struct {
	id, kind, armed, hit string
	removed              bool
	applied              int64
}

// ArmCrash arms a crash point of a program: it puts a file with the point's name into the
// program's crash folder. The program that reaches the point renames it to name.hit, which
// is the receipt, and kills itself. At NAME.panic it panics instead.
func ArmCrash(dir, id, point string) (Handle, error) {
	if point == "" || filepath.Base(point) != point {
		return nil, &SpecError{"at", fmt.Sprintf("%q is no name of a crash point", point), "write a name such as page-written"}
	}
	kind := Crash
	if filepath.Ext(point) == "."+Panics {
		kind = Panics
	}
	c := &crash{id: id, kind: kind, armed: filepath.Join(dir, point), hit: filepath.Join(dir, point+".hit")}
	if err := os.Remove(c.hit); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing an old receipt: %w", err)
	}
	if err := os.WriteFile(c.armed, nil, 0o600); err != nil {
		return nil, fmt.Errorf("arming crash point %s: %w", point, err)
	}
	return c, nil
}

// Receipt implements Handle.
func (c *crash) Receipt() Receipt {
	if !c.removed && exists(c.hit) {
		c.applied = 1
	}
	return Receipt{ID: c.id, Target: Process, Kind: c.kind, Planned: 1, Matched: c.applied, Applied: c.applied}
}

// Remove implements Handle.
func (c *crash) Remove(context.Context) error {
	if err := os.Remove(c.armed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("disarming a crash point: %w", err)
	}
	c.Receipt()
	c.removed = true
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
