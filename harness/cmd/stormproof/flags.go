package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/scenario"
)

// common are the flags that several verbs share.
type common struct {
	cluster, kubeconfig, redis string
	redisTopology, system      string
	categories, ids            []string
	labelFilter, caseName      string
	seed                       int64
	procs, repeat              int
	// folder is the report's, where it is there already.
	folder                     string
	controllers                bool
	untilItFails, keep, dryRun bool
	watch                      bool
	output, progress           string
	timeout                    time.Duration
}

func (c *common) environmentFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.cluster, "cluster", "auto", "cluster provider: auto, kind, envtest, existing")
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig of the existing cluster (with --cluster existing)")
	f.BoolVar(&c.controllers, "controller-manager", false, "run kube-controller-manager beside envtest; scenarios with needs: {controllers: true} bring it by themselves")
	f.StringVar(&c.redis, "redis", "auto", "Redis provider: auto, container, process, embedded")
	f.StringVar(&c.redisTopology, "redis-topology", redis.Standalone, "servers of Redis: "+strings.Join(redis.Topologies(), ", ")+"; the last two are processes")
	f.StringVar(&c.system, "system", "auto", "the gateway: process, inside the harness; binary, as programs of its own; cluster, as Pods of the Kind cluster; auto, as each scenario needs")
}

func (c *common) runFlags(cmd *cobra.Command) {
	c.environmentFlags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&c.categories, "category", nil, "only these categories")
	f.StringSliceVar(&c.ids, "id", nil, "only these scenario ids")
	f.StringVar(&c.caseName, "case", "", "only this case of scenarios that have cases")
	f.StringVar(&c.labelFilter, "label-filter", "", "only ids or categories that contain one of these words, separated by |")
	f.Int64Var(&c.seed, "seed", 0, "seed of the order and of the traffic; 0 takes one from the clock and prints it")
	f.IntVar(&c.procs, "procs", 0, "processes at once; 0: two for each CPU")
	f.StringVar(&c.output, "output", "reports", "folder for reports")
	f.StringVar(&c.progress, "progress", "auto", "auto, plain, json or none")
	f.DurationVar(&c.timeout, "timeout", 20*time.Minute, "bound on one run of the catalogue")
	f.BoolVar(&c.keep, "keep-on-failure", false, "leave the objects and keys of failed scenarios in place")
}

// whole says that nothing was left out of the catalogue: only such runs are kept, because one
// scenario that is worked on says nothing about the suite.
func (c *common) whole(args []string) bool {
	return len(args) == 0 && len(c.categories) == 0 && len(c.ids) == 0 && c.caseName == "" && c.labelFilter == ""
}

// settle fills in what the flags left open, and refuses what makes no sense.
func (c *common) settle() error {
	if c.procs == 0 {
		c.procs = 2 * runtime.NumCPU()
	}
	if c.procs < 1 || c.procs > 64 {
		return usageError{fmt.Errorf("--procs %d must be between 1 and 64", c.procs)}
	}
	if c.seed == 0 {
		c.seed = time.Now().UnixMilli() % 1_000_000_007
	}
	switch c.system {
	case "", "auto", scenario.Process, scenario.Binary, scenario.Cluster:
	default:
		return usageError{fmt.Errorf("--system %q is none of auto, process, binary, cluster", c.system)}
	}
	if c.redisTopology != "" && !slices.Contains(redis.Topologies(), c.redisTopology) {
		return usageError{fmt.Errorf("--redis-topology %q is none of %s", c.redisTopology, strings.Join(redis.Topologies(), ", "))}
	}
	switch c.progress {
	case "auto", "plain", "json", "none":
		return nil
	default:
		return usageError{fmt.Errorf("--progress %q is none of auto, plain, json, none", c.progress)}
	}
}

// load reads, lints and selects scenarios. No argument means the whole catalogue.
func (c *common) load(args []string) (selected []*scenario.Scenario, err error) {
	if len(args) == 0 {
		args = []string{"scenarios"}
	}
	files, err := scenario.Files(args...)
	if err != nil {
		return nil, usageError{fmt.Errorf("%w; name a scenario file or folder", err)}
	}
	var all []*scenario.Scenario
	var problems scenario.Problems
	for _, file := range files {
		s, err := scenario.Load(file)
		if err != nil {
			var ps scenario.Problems
			if !asProblems(err, &ps) {
				return nil, err
			}
			problems = append(problems, ps...)
			continue
		}
		all = append(all, s)
	}
	problems = append(problems, scenario.Lint(all, knownMutants())...)
	if len(problems) > 0 {
		return all, problems
	}
	for _, s := range all {
		if c.wants(s) {
			selected = append(selected, s)
		}
	}
	return c.narrow(selected)
}

// narrow keeps of the scenarios the one case that is asked for.
func (c *common) narrow(list []*scenario.Scenario) (out []*scenario.Scenario, err error) {
	if c.caseName == "" {
		return list, nil
	}
	var missed error
	for _, s := range list {
		only, err := s.Only(c.caseName)
		if err != nil {
			missed = err
			continue
		}
		out = append(out, only)
	}
	if len(out) == 0 && missed != nil {
		return nil, usageError{missed}
	}
	return out, nil
}

func (c *common) wants(s *scenario.Scenario) bool {
	match := func(list []string, value string) bool {
		for _, x := range list {
			if x == value {
				return true
			}
		}
		return len(list) == 0
	}
	filtered := c.labelFilter == ""
	for word := range strings.SplitSeq(c.labelFilter, "|") {
		word = strings.TrimSpace(word)
		filtered = filtered || word != "" && (strings.Contains(s.ID, word) || strings.Contains(s.Category, word))
	}
	return filtered && match(c.categories, s.Category) && match(c.ids, s.ID)
}

// up starts the environment in a folder of its own.
func (c *common) environment(cmd *cobra.Command, dir string) environment.Options {
	return environment.Options{Cluster: c.cluster, Redis: c.redis, RedisTopology: c.redisTopology, Controllers: c.controllers, Kubeconfig: c.kubeconfig,
		Dir: filepath.Join(dir, "environment"), Out: cmd.ErrOrStderr()}
}

// newHTTPClient is a client with connections of its own.
func newHTTPClient() *http.Client { return &http.Client{Transport: &http.Transport{}} }

// runFolder makes a new folder under the output folder, named by time.
func (c *common) runFolder(now time.Time) (string, error) {
	if c.folder != "" {
		return c.folder, nil
	}
	base, err := filepath.Abs(c.output)
	if err != nil {
		return "", fmt.Errorf("finding the output folder: %w", err)
	}
	dir := filepath.Join(base, now.UTC().Format("20060102T150405.000Z"))
	if err := os.MkdirAll(filepath.Join(dir, "environment"), 0o755); err != nil {
		return "", fmt.Errorf("making the report's folder (name another with --output): %w", err)
	}
	return dir, nil
}

// replay begins the command that repeats a scenario in the same kind of environment.
func (c *common) replay() string {
	words := []string{"bin/stormproof", "run"}
	if typed := os.Args[0]; filepath.Base(typed) == "stormproof" && !filepath.IsAbs(typed) {
		words[0] = typed
	}
	for _, f := range []struct{ name, value, auto string }{{"cluster", c.cluster, "auto"}, {"kubeconfig", c.kubeconfig, ""}, {"redis", c.redis, "auto"},
		{"redis-topology", c.redisTopology, redis.Standalone}, {"system", c.system, "auto"}} {
		if f.value != "" && f.value != f.auto {
			words = append(words, "--"+f.name, f.value)
		}
	}
	if c.controllers {
		words = append(words, "--controller-manager")
	}
	return strings.Join(words, " ")
}
