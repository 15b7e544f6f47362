package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/policy"
)

func wrong(field, format string, args ...any) error {
	return &policy.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)}
}

// Validate reports everything that is wrong, each as a *policy.FieldError.
func (c Config) Validate() error {
	_, policyErr := policy.Compile(c.Policy)
	return errors.Join(
		c.Listen.validate(), c.Kubernetes.validate(), c.Redis.validate(),
		c.Dedup.validate(), c.Storm.validate(c.Dedup.IgnoredLabels), c.Limits.validate(),
		policyErr, c.Log.validate(), c.Shadow.validate(), c.Auth.validate(c.Listen.TLS), c.Telemetry.validate(),
	)
}

// validate checks what is tried as strictly as what is in force.
func (r *Rules) validate() error {
	if r == nil {
		return nil
	}
	_, policyErr := policy.Compile(r.Policy)
	return below("shadow.", errors.Join(r.Dedup.validate(), r.Storm.validate(r.Dedup.IgnoredLabels), policyErr))
}

// below puts a prefix before the field of each error.
func below(prefix string, err error) error {
	var field *policy.FieldError
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range list.Unwrap() {
			out = append(out, below(prefix, e))
		}
		return errors.Join(out...)
	}
	if errors.As(err, &field) {
		return &policy.FieldError{Field: prefix + field.Field, Detail: field.Detail}
	}
	return err
}

func (l Listen) validate() error {
	errs := []error{address("listen.public", l.Public), address("listen.admin", l.Admin), positive("listen.grace", l.Grace), l.TLS.validate()}
	for i, text := range l.TrustedProxies {
		if _, err := netip.ParsePrefix(text); err != nil {
			errs = append(errs, wrong(fmt.Sprintf("listen.trustedProxies[%d]", i), "%q is no network: write for example 10.0.0.0/8, or 10.1.2.3/32 for one address", text))
		}
	}
	return errors.Join(errs...)
}

// Trusted are the networks of TrustedProxies.
func (l Listen) Trusted() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range l.TrustedProxies {
		if p, err := netip.ParsePrefix(text); err == nil { // Validate tells of the error
			out = append(out, p)
		}
	}
	return out
}

func (k Kubernetes) validate() error {
	errs := []error{
		namespace("kubernetes.namespace", k.Namespace),
		positive("kubernetes.timeout", k.Timeout),
		positive("kubernetes.flushInterval", k.FlushInterval),
		atLeast("kubernetes.burst", k.Burst, 1),
	}
	for i, n := range k.Namespaces {
		errs = append(errs, namespace(fmt.Sprintf("kubernetes.namespaces[%d]", i), n))
	}
	if k.LeaderElection.LeaseDuration < time.Second {
		errs = append(errs, wrong("kubernetes.leaderElection.leaseDuration", "%s must be at least 1s", k.LeaderElection.LeaseDuration))
	}
	if k.FallbackNamespace != "" {
		errs = append(errs, namespace("kubernetes.fallbackNamespace", k.FallbackNamespace))
	}
	if k.QPS <= 0 {
		errs = append(errs, wrong("kubernetes.qps", "%v must be greater than 0", k.QPS))
	}
	return errors.Join(errs...)
}

func (r Redis) validate() error {
	errs := []error{
		address("redis.addr", r.Addr), positive("redis.timeout", r.Timeout),
		atLeast("redis.poolSize", r.PoolSize, 1), atLeast("redis.db", r.DB, 0), r.servers(), r.credentials(), r.TLS.validate(),
	}
	if r.Prefix == "" || strings.ContainsAny(r.Prefix, `{}*?[]\`) {
		errs = append(errs, wrong("redis.prefix", `%q must not be empty or hold any of {}*?[]\: write for example "sp:"`, r.Prefix))
	}
	if strings.ContainsAny(r.ClientName, " \n\t") {
		errs = append(errs, wrong("redis.clientName", "%q must not hold spaces", r.ClientName))
	}
	switch r.OnFailure {
	case Reject, Degrade:
	default:
		errs = append(errs, wrong("redis.onFailure", `%q must be "reject" or "degrade"`, r.OnFailure))
	}
	return errors.Join(errs...)
}

func (d Dedup) validate() error {
	errs := []error{positive("dedup.window", d.Window)}
	if d.Identity != alert.ByLabels && d.Identity != alert.ByTarget {
		errs = append(errs, wrong("dedup.identity", `%q must be "labels" or "target"`, d.Identity))
	}
	if p := d.Previous; p != nil && p.Identity != alert.ByLabels && p.Identity != alert.ByTarget {
		errs = append(errs, wrong("dedup.previous.identity", `%q must be "labels" or "target"`, p.Identity))
	}
	if slices.Contains(d.IgnoredLabels, alert.LabelName) {
		errs = append(errs, wrong("dedup.ignoredLabels", "%s names the alert and cannot be ignored", alert.LabelName))
	}
	return errors.Join(errs...)
}

// validate refuses rules by ignored labels: then two deliveries of one fingerprint could
// fall into two groups, and each group keeps its own books.
func (s Storm) validate(ignored []string) error {
	if len(s.Rules) == 0 {
		return wrong("storm.rules", "there must be at least one rule, or nothing bounds a storm")
	}
	var errs []error
	names := map[string]bool{}
	for i, r := range s.Rules {
		field := fmt.Sprintf("storm.rules[%d]", i)
		if r.Name == "" || names[r.Name] {
			errs = append(errs, wrong(field+".name", "%q must be set, and unlike the others", r.Name))
		}
		names[r.Name] = true
		if len(r.By) == 0 {
			errs = append(errs, wrong(field+".by", "name at least one label"))
		}
		for _, label := range r.By {
			if slices.Contains(ignored, label) {
				errs = append(errs, wrong(field+".by", "%q is one of dedup.ignoredLabels, so one alert could fall into two groups: remove it from one of the two", label))
			}
		}
		errs = append(errs, atLeast(field+".threshold", r.Threshold, 1), positive(field+".window", r.Window))
	}
	return errors.Join(errs...)
}

func (l Log) validate() error {
	if _, err := l.level(); err != nil {
		return wrong("log.level", "%q must be debug, info, warn or error", l.Level)
	}
	return nil
}

func (l Log) level() (level slog.Level, err error) {
	err = level.UnmarshalText([]byte(l.Level))
	return level, err
}

// Slog is the level as package slog knows it, info where it is not valid.
func (l Log) Slog() slog.Level {
	level, _ := l.level() // Validate tells of the error
	return level
}

func address(field, value string) error {
	if _, _, err := net.SplitHostPort(value); err != nil {
		return wrong(field, "%q must be host:port, for example localhost:6379: %v", value, err)
	}
	return nil
}

func namespace(field, value string) error {
	if problems := validation.IsDNS1123Label(value); len(problems) > 0 {
		return wrong(field, "%q is no namespace name: %s", value, problems[0])
	}
	return nil
}

func positive(field string, d time.Duration) error {
	if d <= 0 {
		return wrong(field, "%s must be greater than 0: write for example 30s", d)
	}
	return nil
}

func atLeast(field string, n, least int) error {
	if n < least {
		return wrong(field, "%d must be at least %d", n, least)
	}
	return nil
}
