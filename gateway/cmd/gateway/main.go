// Command gateway turns alerts into RemediationRequests. See package gateway.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/stormproof/stormproof/gateway"
	"github.com/stormproof/stormproof/gateway/config"
)

func main() {
	file := flag.String("config", "", "configuration file (YAML); without it the defaults")
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig; without it the cluster that the gateway runs in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *file, *kubeconfig)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file, kubeconfig string) error {
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	cluster, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("finding the cluster (name a file with --kubeconfig): %w", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return fmt.Errorf("log.level: %w", err)
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level}))
	clock, testing := clockAndTesting()
	g, err := gateway.New(gateway.Options{Config: c, RESTConfig: cluster, Logger: log, Clock: clock, Testing: testing})
	if err != nil {
		return err
	}
	return g.Run(ctx)
}
