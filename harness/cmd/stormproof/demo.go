package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/system"
	"github.com/stormproof/stormproof/harness/traffic"
)

// demoNamespace is where the demo's alerts claim to come from.
const demoNamespace = "shop"

func newDemo() *cobra.Command {
	c := &common{}
	count := 300
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A gateway and a real Alertmanager: fire a storm, wait for repeat and resolve, show what came of it",
		RunE:  func(cmd *cobra.Command, _ []string) error { return demoVerb(cmd, c, count) },
	}
	c.environmentFlags(cmd)
	cmd.Flags().StringVar(&c.output, "output", "reports", "folder for logs")
	cmd.Flags().IntVar(&count, "alerts", count, "size of the storm")
	return cmd
}

// demo is everything that the demo runs.
type demo struct {
	out          io.Writer
	env          *environment.Environment
	gateway      system.Instance
	tap          *traffic.Tap
	alertmanager *traffic.Alertmanager
	log          *history.Writer
	kube         client.Client
	// seen counts verdicts that Alertmanager was given.
	notifications, firing, repeats, resolved atomic.Int64
}

func demoVerb(cmd *cobra.Command, c *common, count int) (err error) {
	dir, err := c.runFolder(time.Now())
	if err != nil {
		return err
	}
	d := &demo{out: cmd.OutOrStdout()}
	defer func() { err = errors.Join(err, d.close(cmd.Context())) }()
	if err := d.start(cmd, c, dir); err != nil {
		return err
	}
	alerts := make([]traffic.Alert, count)
	for i := range alerts {
		alerts[i] = traffic.Alert{Labels: map[string]string{"alertname": "NodeDown", "namespace": demoNamespace,
			"pod": fmt.Sprintf("cart-%03d", i+1), "severity": "critical", "environment": "production"},
			StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour)}
	}
	fmt.Fprintf(d.out, "\nfiring %d alerts through Alertmanager's API\n", count)
	if err := d.alertmanager.Post(cmd.Context(), alerts); err != nil {
		return err
	}
	n := int64(count)
	if err := d.wait(cmd.Context(), "the storm to arrive", func() bool { return d.firing.Load() >= n }); err != nil {
		return err
	}
	if err := d.wait(cmd.Context(), "Alertmanager to repeat the group", func() bool { return d.repeats.Load() >= n }); err != nil {
		return err
	}
	for i := range alerts {
		alerts[i].EndsAt = time.Now()
	}
	if err := d.alertmanager.Post(cmd.Context(), alerts); err != nil {
		return err
	}
	if err := d.wait(cmd.Context(), "the resolved notification", func() bool { return d.resolved.Load() >= n }); err != nil {
		return err
	}
	return d.show(cmd.Context(), count)
}

func (d *demo) start(cmd *cobra.Command, c *common, dir string) error {
	ctx := cmd.Context()
	o := c.environment(cmd, dir)
	binary, err := binaries.Alertmanager(ctx, o.CacheDir, o.Out)
	if err != nil {
		return environment.Unavailable("Alertmanager", err)
	}
	if d.env, err = environment.Up(ctx, o); err != nil {
		return err
	}
	description := d.env.Describe()
	config, err := description.RESTConfig()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("registering kinds: %w", err)
	}
	if d.kube, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("building a client: %w", err)
	}
	if err := d.kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: demoNamespace}}); err != nil {
		return fmt.Errorf("creating namespace %s: %w", demoNamespace, err)
	}
	d.gateway, err = startGateway(ctx, system.Spec{Name: "demo", Namespace: demoNamespace, RedisAddr: description.Redis.Addr,
		RedisPassword: description.Redis.Password, RedisPrefix: "sp:demo:", Kubernetes: config, LogFile: filepath.Join(dir, "gateway.log")})
	if err != nil {
		return err
	}
	return d.startAlertmanager(ctx, binary, dir)
}

func (d *demo) startAlertmanager(ctx context.Context, binary, dir string) (err error) {
	if d.log, err = history.Open(filepath.Join(dir, "history.jsonl"), time.Now); err != nil {
		return err
	}
	begin, err := gatewaySettings(nil)
	if err != nil {
		return err
	}
	begin.Schema, begin.Scenario, begin.Namespaces, begin.RedisPrefix = history.Schema, "demo", []string{demoNamespace}, "sp:demo:"
	if err := d.log.Add(history.Event{Begin: &begin}); err != nil {
		return err
	}
	sender := &traffic.Client{BaseURL: d.gateway.URL(), HTTP: newHTTPClient(), History: d.log}
	if d.tap, err = traffic.NewTap(ctx, sender, "alertmanager", d.notice); err != nil {
		return err
	}
	home := filepath.Join(dir, "alertmanager")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return fmt.Errorf("making Alertmanager's folder: %w", err)
	}
	d.alertmanager, err = traffic.StartAlertmanager(ctx, traffic.AlertmanagerOptions{Binary: binary, Dir: home,
		WebhookURL: d.tap.URL() + "/api/v1/alerts/alertmanager", GroupBy: []string{"alertname", "namespace"},
		GroupWait: 200 * time.Millisecond, GroupInterval: time.Second, RepeatInterval: time.Second})
	if err == nil {
		fmt.Fprintf(d.out, "gateway at %s, Alertmanager at %s\n", d.gateway.URL(), d.alertmanager.URL())
	}
	return err
}

// notice counts what Alertmanager was answered.
func (d *demo) notice(r traffic.Response) {
	counts := map[string]int64{}
	for _, v := range r.Verdicts {
		counts[v.Verdict]++
	}
	d.notifications.Add(1)
	d.firing.Add(counts["created"] + counts["member"])
	d.repeats.Add(counts["duplicate"])
	d.resolved.Add(counts["resolved"])
	fmt.Fprintf(d.out, "notification %d: status %d, verdicts %v\n", d.notifications.Load(), r.Status, counts)
}

func (d *demo) wait(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; the logs lie beside the report", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// show stops the gateway, so that all counters are written, and prints what it made.
func (d *demo) show(ctx context.Context, count int) error {
	stop := d.gateway
	d.gateway = nil
	if err := stop.Stop(ctx); err != nil {
		return err
	}
	var list v1alpha1.RemediationRequestList
	if err := d.kube.List(ctx, &list, client.InNamespace(demoNamespace)); err != nil {
		return fmt.Errorf("listing RemediationRequests: %w", err)
	}
	fmt.Fprintf(d.out, "\n%d alerts became %d RemediationRequests:\n%-42s %-9s %-8s %7s %11s %10s\n", count, len(list.Items), "NAME", "ALERT", "PRIORITY", "MEMBERS", "OCCURRENCES", "DELIVERIES")
	represented := int64(0)
	for _, rr := range list.Items {
		fmt.Fprintf(d.out, "%-42s %-9s %-8s %7d %11d %10d\n", rr.Name, rr.Spec.AlertName, rr.Spec.Priority, rr.Status.Members, rr.Status.Occurrences, rr.Status.Deliveries)
		represented += max(rr.Status.Members, 1)
	}
	fmt.Fprintf(d.out, "alerts represented: %d of %d\n", represented, count)
	if represented != int64(count) {
		return quietError{exitFail}
	}
	return nil
}

func (d *demo) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	var errs []error
	if d.alertmanager != nil {
		errs = append(errs, d.alertmanager.Stop(ctx))
	}
	if d.tap != nil {
		errs = append(errs, d.tap.Close(ctx))
	}
	if d.gateway != nil {
		errs = append(errs, d.gateway.Stop(ctx))
	}
	if d.log != nil {
		errs = append(errs, d.log.Close())
	}
	if d.env != nil {
		errs = append(errs, d.env.Down(ctx))
	}
	return errors.Join(errs...)
}
