package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/internal/binaries"
	"github.com/stormproof/stormproof/harness/suite"
	"github.com/stormproof/stormproof/harness/system"
)

// kindHint is how one gets a cluster that Pods can run in.
const kindHint = "type: make kind (it holds a cluster until bin/stormproof down), or run with --cluster kind"

// mayHavePods refuses, before anything is started, where the cluster that would be started
// has no nodes for Pods.
func (s *session) mayHavePods(cmd *cobra.Command) error {
	why := podReason(s.c.system, s.worlds)
	kind := s.c.cluster
	switch {
	case why == "" || kind == cluster.Kind:
		return nil
	case kind == cluster.Auto && s.c.kubeconfig == "":
		if _, err := cluster.KindReady(cmd.Context()); err != nil {
			return noPods(why, err)
		}
		return nil
	}
	return noPods(why, fmt.Errorf("with --cluster %s there is no Kind cluster of the harness's own, where Pods could run", kind))
}

// noPods is exit 3, with the fix.
func noPods(why string, cause error) error {
	reason := cause.Error()
	if u, ok := errors.AsType[*binaries.Unavailable](cause); ok {
		reason = u.Reason
	}
	return environment.Unavailable("the gateway as a Pod ("+why+")", &binaries.Unavailable{What: "a Kind cluster", Reason: reason, Fix: kindHint})
}

// deploy puts the gateway on the cluster's node, where a scenario wants it there.
func (s *session) deploy(cmd *cobra.Command, d environment.Description) error {
	why := podReason(s.c.system, s.worlds)
	if why == "" {
		return nil
	}
	if d.Node == nil {
		return noPods(why, errors.New("the cluster in use is not a Kind cluster of the harness's own"))
	}
	node, err := d.Node.Locate(cmd.Context())
	if err != nil {
		return environment.Unavailable("the cluster's node", err)
	}
	root, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("finding the source tree: %w", err)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "environment: compiling the gateway for an image (minutes the first time, seconds after that)")
	begin := time.Now()
	path := filepath.Join(s.dir, "programs", "gateway-image")
	if err := system.Build(cmd.Context(), gatewayImage(root), path); err != nil {
		return environment.Unavailable("the gateway for an image (it needs go on PATH and the source tree)", err)
	}
	image, err := system.NewImage(path)
	if err != nil {
		return err
	}
	loaded, err := node.Load(cmd.Context(), image.Name, image.Write)
	if err != nil {
		return environment.Unavailable("the gateway's image", err)
	}
	how := "was on the node already"
	if loaded {
		how = "put on the node"
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "environment: system   %-10s because %s (%s %s, %.1f s)\n", "cluster", why, image.Name, how, time.Since(begin).Seconds())
	s.pods = &suite.Pods{Image: image.Name, Node: node}
	return nil
}
