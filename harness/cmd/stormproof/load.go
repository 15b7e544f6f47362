package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/traffic"
)

// alertmanagerPath is where the gateway takes Alertmanager's webhooks.
const alertmanagerPath = "/api/v1/alerts/alertmanager"

// defaultProfile is the load of a normal day, when no file is given.
var defaultProfile = traffic.Profile{Groups: 20, Cardinality: 500, Duplicates: 0.6, Refires: 0.05, Resolves: 0.1,
	Skew: traffic.Skew{Groups: 1, Fingerprints: 0.5}, Padding: traffic.Padding{Min: 256, Max: 1024}, Batch: 5}

// loadFlags are what `stormproof load` was asked for.
type loadFlags struct {
	common
	url, profile string
	retry        bool
	arrival      traffic.Arrival
}

func newLoad() *cobra.Command {
	l := &loadFlags{}
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Send alert traffic at a rate (open loop) or back to back (closed loop), and measure",
		Long: "Send a profile of alerts to a gateway that is brought up for it, or to --url on this machine.\n" +
			"With --rate the loop is open: latency counts from the intended time of each request, so a stall shows.\n" +
			"Exit: 0 everything was acknowledged, 1 something was dropped or not, 2 usage, 3 no environment.",
		RunE: func(cmd *cobra.Command, _ []string) error { return loadVerb(cmd, l) },
	}
	l.environmentFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&l.url, "url", "", "send to this webhook on this machine instead, for example http://127.0.0.1:8080"+alertmanagerPath)
	f.StringVar(&l.profile, "profile", "", "YAML file of what the alerts are; see TESTING.md")
	f.Float64Var(&l.arrival.Rate, "rate", 0, "requests a second (open loop); 0: a closed loop")
	f.BoolVar(&l.arrival.Poisson, "poisson", false, "spread the requests of --rate as independent senders would")
	f.IntVar(&l.arrival.Connections, "connections", 0, "requests in flight at most; 0: 64 with --rate, else 8")
	f.DurationVar(&l.arrival.For, "duration", 0, "how long; without --count 10s")
	f.IntVar(&l.arrival.Count, "count", 0, "how many requests at most")
	f.BoolVar(&l.retry, "retry", false, "repeat as Alertmanager does, on 5xx and broken connections")
	f.Int64Var(&l.seed, "seed", 1, "seed of alerts and times; the same seed sends the same bytes")
	f.StringVar(&l.output, "output", "reports", "folder for load.json and logs")
	return cmd
}

// loadReport is load.json.
type loadReport struct {
	Schema  string          `json:"schema"`
	Started time.Time       `json:"started"`
	Target  string          `json:"target"`
	Seed    int64           `json:"seed"`
	Profile traffic.Profile `json:"profile"`
	Rate    float64         `json:"rate"`
	Poisson bool            `json:"poisson"`
	// Connections is the bound on requests in flight.
	Connections     int            `json:"connections"`
	AlertsPerSecond float64        `json:"alertsPerSecond"`
	Result          traffic.Result `json:"result"`
}

func loadVerb(cmd *cobra.Command, l *loadFlags) (err error) {
	profile, err := l.settleLoad(cmd.Context())
	if err != nil {
		return usageError{err}
	}
	started := time.Now()
	dir, err := l.runFolder(started)
	if err != nil {
		return err
	}
	target := l.url
	if target == "" {
		b, upErr := newBench(cmd, &l.common, dir)
		defer func() { err = errors.Join(err, b.close(cmd.Context())) }()
		if upErr != nil {
			return upErr
		}
		target = b.gateway.URL() + alertmanagerPath
	}
	// What was measured is written also when Ctrl-C or a fault of the harness ended it.
	result, sendErr := l.send(cmd.Context(), target, profile, started)
	if result.Latency == nil {
		return sendErr
	}
	r := loadReport{Schema: "stormproof.load/v1", Started: started.UTC(), Target: target, Seed: l.seed, Profile: profile,
		Rate: l.arrival.Rate, Poisson: l.arrival.Poisson, Connections: l.arrival.Connections,
		AlertsPerSecond: result.AlertsPerSecond(), Result: result}
	path := filepath.Join(dir, "load.json")
	if err := writeJSON(path, r); err != nil {
		return errors.Join(sendErr, err)
	}
	printLoad(cmd.OutOrStdout(), r, path)
	if sendErr != nil {
		return sendErr
	}
	if result.Unacked > 0 || result.Dropped > 0 || result.Sent == 0 {
		return quietError{exitFail}
	}
	return nil
}

// settleLoad fills in what the flags left open and refuses what makes no sense, before
// anything is started.
func (l *loadFlags) settleLoad(ctx context.Context) (traffic.Profile, error) {
	profile := defaultProfile
	if l.profile != "" {
		b, err := os.ReadFile(l.profile)
		if err != nil {
			return profile, fmt.Errorf("reading the profile: %w", err)
		}
		profile = traffic.Profile{}
		if err := yaml.UnmarshalWithOptions(b, &profile, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
			return profile, fmt.Errorf("reading profile %s: %w", l.profile, err)
		}
	}
	if l.arrival.For == 0 && l.arrival.Count == 0 {
		l.arrival.For = 10 * time.Second
	}
	if l.arrival.Connections == 0 {
		l.arrival.Connections = 8
		if l.arrival.Open() {
			l.arrival.Connections = 64
		}
	}
	l.arrival.Seed = uint64(l.seed)
	if err := errors.Join(profile.Validate(), l.arrival.Validate()); err != nil {
		return profile, err
	}
	if l.url == "" {
		return profile, nil
	}
	return profile, traffic.CheckTarget(ctx, l.url, nil)
}

func (l *loadFlags) send(ctx context.Context, target string, profile traffic.Profile, base time.Time) (traffic.Result, error) {
	generator, err := traffic.NewGenerator(profile, traffic.Input{Seed: uint64(l.seed), Base: base.UTC().Truncate(time.Millisecond),
		Name: "load", Namespace: benchNamespace})
	if err != nil {
		return traffic.Result{}, err
	}
	transport := traffic.GuardedTransport(nil, l.arrival.Connections)
	defer transport.CloseIdleConnections()
	client := &traffic.Client{BaseURL: target, HTTP: &http.Client{Transport: transport}}
	load := traffic.Load{Arrival: l.arrival, Next: generator.Next, Send: client.Once}
	if l.retry {
		load.Send = (&traffic.Retrier{Client: client}).Send
	}
	return load.Run(ctx)
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", filepath.Base(path), err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}
