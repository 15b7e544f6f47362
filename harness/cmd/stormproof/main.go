// Command stormproof brings up Kubernetes and Redis, runs scenarios against the gateway,
// judges what happened, and reports. `stormproof help` lists the verbs.
//
// It is one of the two places that know both the gateway and the harness; everything else
// meets through package system.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/scenario"
	"github.com/stormproof/stormproof/harness/suite"
)

// Exit codes, the same for every verb.
const (
	exitPass        = 0
	exitFail        = 1
	exitUsage       = 2
	exitEnvironment = 3
	exitNothing     = 4
	exitInterrupted = 130
)

func main() {
	if suite.Serve(wiring()) {
		return
	}
	// controller-runtime warns with a stack when nobody chose; its news is in our own errors.
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute runs the command line and turns its error into an exit code.
func execute(ctx context.Context, args []string) int { return executeRoot(ctx, newRoot(), args) }

func executeRoot(ctx context.Context, root *cobra.Command, args []string) (code int) {
	root.SetArgs(args)
	defer func() { // everything that is up was taken down on the way here
		if p := recover(); p != nil {
			fmt.Fprintf(root.ErrOrStderr(), "stormproof: the harness panicked: %v\n%s", p, debug.Stack())
			code = exitFail
		}
	}()
	err := root.ExecuteContext(ctx)
	code = exitCode(ctx, err)
	var quiet quietError
	if err != nil && !errors.As(err, &quiet) {
		fmt.Fprintln(root.ErrOrStderr(), "stormproof: "+err.Error())
	}
	return code
}

// quietError ends the program with a code after everything has been said.
type quietError struct{ code int }

func (e quietError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a mistake of the one who typed.
type usageError struct{ error }

func exitCode(ctx context.Context, err error) int {
	var quiet quietError
	var env *environment.Error
	var problems scenario.Problems
	var usage usageError
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case err == nil:
		return exitPass
	case errors.As(err, &quiet):
		return quiet.code
	case errors.As(err, &env):
		return exitEnvironment
	case errors.As(err, &problems), errors.As(err, &usage):
		return exitUsage
	default:
		return exitFail
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "stormproof",
		Short:         "Prove that alerts become exactly one RemediationRequest per incident",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			err := fmt.Errorf("there is no verb %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				err = fmt.Errorf("%w; did you mean %q?", err, near[0])
			}
			return usageError{fmt.Errorf("%w; type: stormproof help", err)}
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; type: stormproof help", err)}
	})
	root.AddCommand(newDoctor(), newUp(), newDown(), newRun(), newLint(), newNew(), newSchema(),
		newGate(), newDemo(), newJudge(), newReport(), newMutants(), newLoad())
	for _, c := range root.Commands() {
		asUsage(c)
	}
	return root
}

// asUsage makes complaints about arguments usage errors.
func asUsage(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w; type: stormproof help %s", err, cmd.Name())}
		}
		return nil
	}
}
