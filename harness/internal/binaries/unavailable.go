package binaries

import (
	"fmt"
	"io"
	"syscall"
)

// Unavailable says that a part of the environment cannot be had on this machine, why, and
// what a person can do about it.
type Unavailable struct {
	// What is the part, for example "redis".
	What   string
	Reason string
	// Fix is something to type or to change.
	Fix string
	// Err is the cause, or nil.
	Err error
}

// Error is one line, or several where the cause is the output of a program.
func (u *Unavailable) Error() string {
	text := u.What + ": " + u.Reason
	if u.Err != nil {
		text += ": " + u.Err.Error()
	}
	return text + "; to fix it: " + u.Fix
}

// Unwrap is the cause.
func (u *Unavailable) Unwrap() error { return u.Err }

// FreeMB is the space that this user may still fill on the file system of dir.
func FreeMB(dir string) (int, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	return int(st.Bavail * uint64(st.Bsize) >> 20), nil
}

// say prints a line of progress; a reader that went away is no reason to stop.
func say(out io.Writer, format string, args ...any) {
	if out != nil {
		_, _ = fmt.Fprintf(out, format, args...)
	}
}
