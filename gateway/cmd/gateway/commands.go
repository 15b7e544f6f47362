package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/offline"
)

// subcommand is what some words stand for.
type subcommand struct {
	words      []string
	args, does string
	run        func(ctx context.Context, args []string, out io.Writer) error
}

func commands() []subcommand {
	return []subcommand{
		{[]string{"config", "defaults"}, "", "print every key with its default", configDefaults},
		{[]string{"config", "check"}, "FILE", "is this configuration good?", configCheck},
		{[]string{"explain"}, "[-config FILE] [-source NAME] FILE", "what makes the fingerprint, group and priority of each alert of a payload; - reads standard input", explain},
		{[]string{"replay"}, "[-config FILE] FILE...", "play captured webhooks and compare their verdicts; -config tries another configuration", replay},
		{[]string{"why"}, "[-config FILE] [-kubeconfig FILE] [-json] FINGERPRINT", "where did this alert go: its objects and storms, what was counted, what its next delivery meets; asks the cluster and Redis", why},
		{[]string{"config"}, "", "", unknown("config: write config defaults or config check FILE")},
	}
}

func unknown(text string) func(context.Context, []string, io.Writer) error {
	return func(context.Context, []string, io.Writer) error { return &usageError{text} }
}

func help() string {
	var b strings.Builder
	b.WriteString("gateway [-config FILE] [-kubeconfig FILE]\n    serve\n")
	for _, c := range commands() {
		if c.does != "" {
			fmt.Fprintf(&b, "gateway %s %s\n    %s\n", strings.Join(c.words, " "), c.args, c.does)
		}
	}
	return b.String()
}

func configDefaults(_ context.Context, args []string, out io.Writer) error {
	if err := parse(flag.NewFlagSet("config defaults", flag.ContinueOnError), args, 0, 0); err != nil {
		return err
	}
	return config.Defaults().Write(out)
}

func configCheck(_ context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("config check", flag.ContinueOnError)
	if err := parse(flags, args, 1, 1); err != nil {
		return err
	}
	c, err := config.Load(flags.Arg(0))
	if err != nil {
		return err
	}
	changed := config.Changed(config.Defaults(), c)
	if len(changed) == 0 {
		changed = []string{"nothing"}
	}
	_, err = fmt.Fprintf(out, "%s is good; other than the defaults: %s\n", flags.Arg(0), strings.Join(changed, ", "))
	return err
}

func explain(_ context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	file := flags.String("config", "", "")
	source := flags.String("source", alert.Alertmanager{}.Name(), "")
	if err := parse(flags, args, 1, 1); err != nil {
		return err
	}
	c, err := config.Load(*file)
	if err != nil {
		return err
	}
	var body []byte
	if flags.Arg(0) == "-" {
		body, err = io.ReadAll(os.Stdin)
	} else {
		body, err = os.ReadFile(flags.Arg(0))
	}
	if err != nil {
		return fmt.Errorf("reading the payload: %w", err)
	}
	invalid, err := offline.Explain(out, c, *source, body)
	if err == nil && invalid > 0 {
		err = fmt.Errorf("%d alerts are invalid", invalid)
	}
	return err
}

func replay(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	file := flags.String("config", "", "")
	if err := parse(flags, args, 1, math.MaxInt); err != nil {
		return err
	}
	var errs []error
	for _, path := range flags.Args() {
		wrong, err := offline.Replay(ctx, out, path, *file)
		if err == nil && wrong > 0 {
			err = fmt.Errorf("%s: %d steps went otherwise than it says", path, wrong)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
