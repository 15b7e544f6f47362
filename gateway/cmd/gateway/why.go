package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/stormproof/stormproof/gateway"
	"github.com/stormproof/stormproof/gateway/config"
)

// whyWithin bounds the whole answer.
const whyWithin = 30 * time.Second

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// why tells where an alert went.
func why(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("why", flag.ContinueOnError)
	file := flags.String("config", "", "")
	kubeconfig := flags.String("kubeconfig", os.Getenv("KUBECONFIG"), "")
	asJSON := flags.Bool("json", false, "")
	if err := parse(flags, args, 0, 1); err != nil {
		return err
	}
	fingerprint := flags.Arg(0)
	if !fingerprintForm.MatchString(fingerprint) {
		return &usageError{fmt.Sprintf("why: %q is no fingerprint, which is 64 hex digits: an answer and the log hold it, and gateway explain FILE tells it", fingerprint)}
	}
	c, err := config.Load(*file)
	if err != nil {
		return err
	}
	cluster, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("finding the cluster (name a file with -kubeconfig): %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, whyWithin)
	defer cancel()
	report, err := gateway.Why(ctx, gateway.Options{Config: c, RESTConfig: cluster}, fingerprint)
	if err != nil {
		return err
	}
	if *asJSON {
		lines := json.NewEncoder(out)
		lines.SetIndent("", "  ")
		return lines.Encode(report)
	}
	return report.Text(out)
}
