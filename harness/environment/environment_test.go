package environment

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/report"
)

func TestAnotherProcessReachesTheTopologyByTheDescription(t *testing.T) {
	want := Description{Kubeconfig: "/k", Choices: []report.Choice{{Part: "redis", Chosen: "cluster", Reason: "asked for"}},
		Redis: RedisAddress{Addr: "127.0.0.1:1", Kind: redis.Process, Binary: redis.Binary{Path: "/bin/redis-server", Version: "7.0.15"},
			Topology: &redis.Access{Topology: redis.Cluster, Addrs: []string{"127.0.0.1:1", "127.0.0.1:2"}, Password: "p", CAFile: "/ca.pem"}}}
	path := filepath.Join(t.TempDir(), "environment.json")
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(*want.Redis.Topology, got.Redis.Access()); diff != "" {
		t.Error(diff)
	}
	got.Redis.Topology = nil
	if a := got.Redis.Access(); !a.Plain() || a.Addrs[0] != "127.0.0.1:1" {
		t.Errorf("one server is reached by %+v", a)
	}
}

func TestTopologyThatTheMachineOrTheFlagsRefuseSaysTheFix(t *testing.T) {
	tests := map[string]func(ctx context.Context) error{
		"sentinels of an embedded server": func(ctx context.Context) error {
			return new(Environment).startRedis(ctx, Options{Redis: redis.Embedded, RedisTopology: redis.Sentinel, Dir: t.TempDir()}, io.Discard)
		},
		"a cluster of containers": func(ctx context.Context) error {
			return new(Environment).startRedis(ctx, Options{Redis: redis.Container, RedisTopology: redis.Cluster, Dir: t.TempDir()}, io.Discard)
		},
		"a topology of its own where only the embedded server is": func(ctx context.Context) error {
			_, err := Description{Redis: RedisAddress{Kind: redis.Embedded}}.StartTopology(ctx, redis.TopologyOptions{Topology: redis.Sentinel})
			return err
		},
	}
	for name, start := range tests {
		t.Run(name, func(t *testing.T) {
			u, ok := errors.AsType[*redis.ErrUnavailable](start(t.Context()))
			if !ok || u.Fix == "" {
				t.Errorf("got %+v, want the reason and the fix", u)
			}
		})
	}
}
