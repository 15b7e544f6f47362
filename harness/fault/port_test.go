package fault

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// taken fails the test when somebody else can listen at an address.
func taken(t *testing.T, when, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err == nil {
		_ = l.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%s: another listener at %s: %v", when, addr, err)
	}
}

func TestProxiesHoldTheirPortsThroughAFault(t *testing.T) {
	redisProxy, err := NewRedisProxy(t.Context(), "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	kubeProxy, err := NewKubeProxy(t.Context(), &rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	kubeAddr := strings.TrimPrefix(kubeProxy.RESTConfig().Host, "http://")
	for _, spec := range []Spec{{ID: "cut", Target: Redis, Kind: Cut}, {ID: "reset", Target: Kubernetes, Kind: Reset}} {
		arm := redisProxy.Arm
		if spec.Target == Kubernetes {
			arm = kubeProxy.Arm
		}
		if _, err := arm(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	taken(t, "while cut", redisProxy.Addr())
	taken(t, "while reset", kubeAddr)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := errors.Join(redisProxy.Close(ctx), kubeProxy.Close(ctx)); err != nil {
		t.Error(err)
	}
}

func TestTheProxySetsNoLimitOfItsOwn(t *testing.T) {
	p, err := NewKubeProxy(t.Context(), &rest.Config{Host: "http://127.0.0.1:1", QPS: 1000, Burst: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if c := p.RESTConfig(); c.QPS != 0 || c.Burst != 0 {
		t.Errorf("QPS %v, burst %d: the service's own limits must hold", c.QPS, c.Burst)
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
