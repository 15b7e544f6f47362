// Package panics turns a panic into an error. A panic in a goroutine of its own would end
// the whole process, and with it every request in flight; as an error it ends one request.
//
//	group.Go(func() (err error) {
//		defer panics.Caught(&err)
//		...
package panics

import (
	"fmt"
	"runtime/debug"
)

// Error is a panic that was caught.
type Error struct {
	Cause any
	// Stack of the goroutine that panicked.
	Stack []byte
}

// Error names the cause.
func (e *Error) Error() string { return fmt.Sprintf("panic: %v", e.Cause) }

// Caught makes a panic of the function that defers it that function's error, an *Error.
func Caught(err *error) {
	if cause := recover(); cause != nil {
		*err = &Error{Cause: cause, Stack: debug.Stack()}
	}
}
