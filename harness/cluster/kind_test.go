package cluster

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kindconfig "sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/log"
)

func TestOnlyOurOwnImageGoesWithoutProxyAndDNS(t *testing.T) {
	if c := kindConfig("kindest/node:v1.37.0"); c.Networking.DisableDefaultCNI || len(c.KubeadmConfigPatches) > 0 {
		t.Errorf("the official image is cut down: %+v", c)
	}
	for _, image := range []string{"stormproof/kind-node:v1.34.4", "localhost/stormproof/kind-node:v1.34.4"} {
		c := kindConfig(image)
		want := kindconfig.Networking{APIServerAddress: "127.0.0.1", DisableDefaultCNI: true, KubeProxyMode: "none"}
		if diff := cmp.Diff(want, c.Networking); diff != "" {
			t.Error(diff)
		}
		if len(c.KubeadmConfigPatches) != 1 || !strings.Contains(c.KubeadmConfigPatches[0], "addon/coredns") {
			t.Errorf("%s: CoreDNS is asked for, and its image is nowhere", image)
		}
	}
}

func TestNoKindSaysWhatToType(t *testing.T) {
	err := noKind(t.Context(), "no container daemon answers", "start Docker", errors.New("refused"))
	u, ok := errors.AsType[*ErrUnavailable](err)
	if !ok || u.Fix != "start Docker; or use --cluster=envtest" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := noKind(ctx, "", "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupt became %v", err)
	}
}

func TestKindsLogKeepsKubeadmAndLeavesOutFiles(t *testing.T) {
	out := &bytes.Buffer{}
	var l log.Logger = kindLog{out}
	l.V(0).Infof("making %s", "it")
	l.V(3).Info("kubeadm said 100%")
	l.V(5).Info("a whole file")
	l.Warn("old cgroups")
	if diff := cmp.Diff("making it\nkubeadm said 100%\nold cgroups\n", out.String()); diff != "" {
		t.Error(diff)
	}
}
