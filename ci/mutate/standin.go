package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	// goVariable says where the real go command is, notesVariable where to note what its exit
	// cannot say: a line that is hung for each mutant whose tests do not end, or what went wrong.
	goVariable, notesVariable = "MUTATE_GO", "MUTATE_NOTES"
	hung                      = "hung"
	// testsWithin is many times what the tests of a package take, and memory what they may use:
	// a mutant may loop for ever, and collect something meanwhile.
	testsWithin = time.Minute
	memory      = 8 << 30
)

// How gremlins reads the exit of go test.
const (
	lived     = 0
	killed    = 1
	notViable = 2
)

// standIn is the go command, as gremlins meets it. It is the real one but for two calls:
//
//   - The run of a mutant's tests. To the real command a mutant that does not compile is a test
//     that failed, and the deadline counts the compiler, too. Here the two are told apart. Vet
//     and the linker's symbols, which no test needs, are left out.
//   - The run that measures coverage. See widen.
func standIn(args []string) int {
	has := func(flag string) bool { return slices.Contains(args, flag) }
	switch {
	case len(args) == 0 || args[0] != "test":
	case has("-failfast"):
		limit := syscall.Rlimit{Cur: memory, Max: memory}
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
			fmt.Fprintln(os.Stderr, "mutate: limiting memory:", err)
		}
		return tryMutant(os.Getenv(goVariable), os.Getenv(notesVariable))
	case has("-coverprofile"):
		// A result from the cache would be one of another tree.
		if code := pass(append([]string{"test", "-count=1"}, args[1:]...)); code != 0 {
			return code
		}
		if err := widen(args[slices.Index(args, "-coverprofile")+1], args[len(args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, "mutate: widening the coverage:", err)
			return 1
		}
		return 0
	}
	return pass(args)
}

// pass calls the real command.
func pass(args []string) int {
	cmd := exec.Command(os.Getenv(goVariable), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		return 1
	}
	return 0
}

// tryMutant builds the tests of the package in the working directory, and runs them. What goes
// wrong otherwise is noted, and fails the whole run.
func tryMutant(goCommand, notes string) (status int) {
	status, err := func() (int, error) {
		dir, err := os.MkdirTemp("", "mutant-")
		if err != nil {
			return lived, err
		}
		status, err := decide(goCommand, filepath.Join(dir, "tests"))
		return status, errors.Join(err, os.RemoveAll(dir))
	}()
	if err == nil {
		return status
	}
	text := fmt.Sprintf("%q\n", err)
	if errors.Is(err, context.DeadlineExceeded) {
		text = hung + "\n"
	}
	f, err := os.OpenFile(notes, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return lived // the one way that is left to be seen
	}
	return status
}

// decide returns context.DeadlineExceeded beside killed where the tests hang.
func decide(goCommand, program string) (int, error) {
	var exit *exec.ExitError
	err := exec.Command(goCommand, "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", program, ".").Run()
	if errors.As(err, &exit) {
		return notViable, nil
	}
	if err != nil {
		return lived, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), testsWithin)
	defer cancel()
	err = exec.CommandContext(ctx, program, "-test.failfast").Run()
	switch {
	case ctx.Err() != nil:
		return killed, ctx.Err()
	case errors.As(err, &exit):
		return killed, nil
	}
	return lived, err
}
