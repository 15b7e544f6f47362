// Command gateway turns alerts into RemediationRequests. See package gateway.
//
// Without a command it serves. Its other commands need neither Redis nor a cluster:
//
//	gateway config defaults        every key with its default
//	gateway config check FILE      is this configuration good? else line, field, what to type
//	gateway explain FILE           what makes an alert's fingerprint, group and priority
//	gateway replay FILE...         captured webhooks against their expected verdicts
//
// One asks both, and changes nothing:
//
//	gateway why FINGERPRINT        where did this alert go
//
// Exit: 0 good; 1 something is wrong with what was given; 2 wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/stormproof/stormproof/gateway"
	"github.com/stormproof/stormproof/gateway/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is a command line that cannot be understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// command carries out a command line and returns the exit code.
func command(ctx context.Context, args []string, out, errs io.Writer) int {
	run, args := serve, args
	for _, c := range commands() {
		if n := len(c.words); len(args) >= n && slices.Equal(args[:n], c.words) {
			run, args = c.run, args[n:]
			break
		}
	}
	err := run(ctx, args, out)
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(out, help())
		return 0
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(errs, "gateway: %s\n\n%s", err, help())
		return 2
	}
	_, _ = fmt.Fprintln(errs, "gateway:", err)
	return 1
}

// parse reads the flags of a command; the rest are its files, of which there must be
// between least and most.
func parse(flags *flag.FlagSet, args []string, least, most int) error {
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return &usageError{err.Error()}
	}
	switch n := flags.NArg(); {
	case n < least:
		return &usageError{flags.Name() + ": name a file"}
	case n > most:
		return &usageError{fmt.Sprintf("%s: what is %q?", flags.Name(), flags.Arg(most))}
	}
	return nil
}

// serve is the gateway itself.
func serve(ctx context.Context, args []string, _ io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	file := flags.String("config", "", "configuration file (YAML); without it the defaults")
	kubeconfig := flags.String("kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig; without it the cluster that the gateway runs in")
	if err := parse(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := config.Load(*file)
	if err != nil {
		return err
	}
	cluster, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("finding the cluster (name a file with --kubeconfig): %w", err)
	}
	level := &slog.LevelVar{}
	level.Set(c.Log.Slog())
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level}))
	// What the libraries of the reconciler say goes where everything goes.
	ctrllog.SetLogger(logr.FromSlogHandler(log.Handler()))
	klog.SetLogger(logr.FromSlogHandler(log.Handler()))
	clock, testing := clockAndTesting()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	g, err := gateway.New(gateway.Options{Config: c, ConfigFile: *file, Again: again, Level: level, RESTConfig: cluster,
		Logger: log, Clock: clock, Testing: testing})
	if err != nil {
		return err
	}
	return g.Run(ctx)
}
