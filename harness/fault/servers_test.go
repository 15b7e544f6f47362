//go:build servers

package fault

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/cluster"
	"github.com/stormproof/stormproof/harness/internal/owned"
	"github.com/stormproof/stormproof/harness/redis"
)

// realRedis is a server of its own, a site before it, and a client that never retries.
func realRedis(t *testing.T) (*redis.Server, *Site, *goredis.Client) {
	t.Helper()
	server, err := redis.Start(t.Context(), redis.Options{Kind: redis.Process, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := NewRedisProxy(t.Context(), server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(addr string) *goredis.Client {
		return goredis.NewClient(&goredis.Options{Addr: addr, MaxRetries: -1, PoolSize: 1, DisableIdentity: true, ContextTimeoutEnabled: true})
	}
	admin, c := plain(server.Addr), plain(proxy.Addr())
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(c.Close(), admin.Close(), proxy.Close(ctx), server.Stop(ctx)); err != nil {
			t.Error(err)
		}
	})
	return server, &Site{Redis: proxy, Server: admin, Own: true, Prefix: "p:", Run: "run", Until: time.Now().Add(time.Hour)}, c
}

func armAt(t *testing.T, s *Site, spec Spec) Handle {
	t.Helper()
	h, err := s.Arm(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// code is the first word of what the server answered, "" for none.
func code(err error) string {
	var answered goredis.Error
	if !errors.As(err, &answered) {
		return ""
	}
	word, _, _ := strings.Cut(answered.Error(), " ")
	return word
}

// settings are what a server is configured with, the hidden delay of loading included.
func settings(t *testing.T, c *goredis.Client) map[string]string {
	t.Helper()
	out, err := c.ConfigGet(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := c.ConfigGet(t.Context(), "key-load-delay").Result()
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(out, hidden)
	return out
}

// undone wants the configuration to be what it was.
func undone(t *testing.T, s *Site, before map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, settings(t, s.Server)); diff != "" {
		t.Errorf("configuration (-before +after):\n%s", diff)
	}
}

func TestServersRefuseWhatTheFaultSaysAndCountIt(t *testing.T) {
	for kind, want := range map[string]string{OOM: "OOM", ReadOnly: "READONLY", Loading: "LOADING"} {
		t.Run(kind, func(t *testing.T) {
			_, site, c := realRedis(t)
			ok(t, c, "SET", "kept", "1")
			before := settings(t, site.Server)
			h := armAt(t, site, Spec{ID: kind, Target: Redis, Kind: kind})
			wantCounts(t, h, 0, 0)
			for range 3 {
				if got := code(c.Set(t.Context(), "k", "v", time.Minute).Err()); got != want {
					t.Errorf("SET was answered %q, want %s", got, want)
				}
			}
			wantCounts(t, h, 3, 3)
			remove(t, h)
			wantCounts(t, h, 3, 3)
			ok(t, c, "SET", "k", "v")
			if got := c.Get(t.Context(), "kept").Val(); got != "1" {
				t.Errorf("kept = %q, want 1", got)
			}
			undone(t, site, before)
			if n := site.Server.DBSize(t.Context()).Val(); n != 2 {
				t.Errorf("%d keys, want the two of the client", n)
			}
		})
	}
}

func TestConnectionsKeepsTheOldAndRefusesTheNew(t *testing.T) {
	_, site, c := realRedis(t)
	ok(t, c, "PING")
	before := settings(t, site.Server)
	h := armAt(t, site, Spec{Target: Redis, Kind: Connections})
	ok(t, c, "PING")
	late := goredis.NewClient(&goredis.Options{Addr: site.Redis.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer func() { _ = late.Close() }()
	if err := late.Ping(t.Context()).Err(); err == nil {
		t.Error("a new connection was served")
	}
	if r := h.Receipt(); r.Applied < 1 {
		t.Errorf("receipt %+v, want the refused connection", r)
	}
	remove(t, h)
	ok(t, late, "PING")
	undone(t, site, before)
}

func TestEvictTakesExactlyTheKeysWithATTL(t *testing.T) {
	_, site, c := realRedis(t)
	for _, k := range []string{"a", "b", "c"} {
		ok(t, c, "SET", k, "1", "EX", "60")
	}
	ok(t, c, "SET", "kept", "1")
	before := settings(t, site.Server)
	h := armAt(t, site, Spec{Target: Redis, Kind: Evict})
	if got := c.Keys(t.Context(), "*").Val(); len(got) != 1 || got[0] != "kept" {
		t.Errorf("keys %v, want kept alone", got)
	}
	ok(t, c, "SET", "a", "1", "EX", "60")
	wantCounts(t, h, 3, 3)
	remove(t, h)
	undone(t, site, before)
}

func TestNoScriptHitsTheNextEvalShas(t *testing.T) {
	_, site, c := realRedis(t)
	script := goredis.NewScript("return 1")
	run := func() {
		if got, err := script.Run(t.Context(), c, nil).Int(); err != nil || got != 1 {
			t.Errorf("script: %d, %v", got, err)
		}
	}
	run()
	h := armAt(t, site, Spec{Target: Redis, Kind: NoScript, After: 1, Times: 2})
	for range 4 {
		run()
	}
	remove(t, h)
	wantCounts(t, h, 4, 2)
}

func TestFlushForgetsBeforeTheRequestAndCountsOnlyWhatThereWas(t *testing.T) {
	for name, own := range map[string]bool{"own server": true, "shared server": false} {
		t.Run(name, func(t *testing.T) {
			_, site, c := realRedis(t)
			site.Own = own
			ok(t, c, "SET", "p:mine", "1")
			ok(t, c, "SET", "foreign", "1")
			h := armAt(t, site, Spec{Target: Redis, Kind: Flush, Times: 2, Match: Match{Command: "GET"}})
			for range 3 {
				if err := c.Get(t.Context(), "p:mine").Err(); !errors.Is(err, goredis.Nil) {
					t.Errorf("GET after the flush: %v", err)
				}
			}
			wantCounts(t, h, 3, 1)
			remove(t, h)
			if left := c.Exists(t.Context(), "foreign").Val(); left == 1 == own {
				t.Errorf("foreign keys left: %d", left)
			}
		})
	}
}

func TestASharedServerIsNotReconfigured(t *testing.T) {
	_, site, _ := realRedis(t)
	site.Own = false
	before := settings(t, site.Server)
	for _, k := range Registry() {
		if !k.OwnServer {
			continue
		}
		var want *UnavailableError
		if _, err := site.Arm(t.Context(), Spec{ID: "f", Target: Redis, Kind: k.Name}); !errors.As(err, &want) {
			t.Errorf("%s: %v, want an *UnavailableError", k.Name, err)
		}
	}
	undone(t, site, before)
}

func TestHealthIsDemandedBeforeAndAfter(t *testing.T) {
	server, site, _ := realRedis(t)
	cut := Spec{ID: "cut", Target: Redis, Kind: Cut}
	h := armAt(t, site, cut)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	var sick *UnhealthyError
	if err := h.Remove(t.Context()); !errors.As(err, &sick) || sick.When != "after fault cut" {
		t.Errorf("removing a fault from a dead server: %v", err)
	}
	if _, err := site.Arm(t.Context(), cut); !errors.As(err, &sick) || sick.When != "before fault cut" {
		t.Errorf("arming a fault at a dead server: %v", err)
	}
}

// realKube is an API server with two proxies: one to break, one of somebody else.
func realKube(t *testing.T) (site *Site, other *KubeProxy, admin client.Client) {
	t.Helper()
	c, err := cluster.Start(t.Context(), cluster.Options{Kind: cluster.Envtest, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	mine, err := NewKubeProxy(t.Context(), c.Config)
	if err != nil {
		t.Fatal(err)
	}
	if other, err = NewKubeProxy(t.Context(), c.Config); err != nil {
		t.Fatal(err)
	}
	if admin, err = other.admin(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(mine.Close(ctx), other.Close(ctx), c.Stop(ctx)); err != nil {
			t.Error(err)
		}
	})
	return &Site{Kubernetes: mine, Prefix: "p:", Run: "run", Until: time.Now().Add(time.Hour)}, other, admin
}

// flood makes n lists at once and counts the answers by status.
func flood(t *testing.T, p *KubeProxy, n int) map[int]int64 {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: n}
	defer transport.CloseIdleConnections()
	out := map[int]int64{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
				p.RESTConfig().Host+"/apis/rbac.authorization.k8s.io/v1/clusterroles", http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := transport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = res.Body.Close() }()
			mu.Lock()
			defer mu.Unlock()
			out[res.StatusCode]++
		})
	}
	all.Wait()
	return out
}

func TestTheAPIServerItselfThrottlesThisUserAndNobodyElse(t *testing.T) {
	site, other, admin := realKube(t)
	h := armAt(t, site, Spec{ID: "seat", Target: Kubernetes, Kind: Throttle})
	var busy int64
	for range 5 {
		got := flood(t, site.Kubernetes, 40)
		busy += got[429]
		if got[200]+got[429] != 40 || got[200] == 0 {
			t.Errorf("answers %v, want 200 and 429 alone, and some 200", got)
		}
	}
	if busy == 0 {
		t.Error("nothing was throttled")
	}
	if got := flood(t, other, 40); got[200] != 40 {
		t.Errorf("another user's answers %v, want 200 for all", got)
	}
	wantCounts(t, h, 200, busy)
	remove(t, h)
	if got := flood(t, site.Kubernetes, 40); got[200] != 40 {
		t.Errorf("answers after removal %v, want 200 for all", got)
	}
	for _, list := range []client.ObjectList{&flowcontrolv1.FlowSchemaList{}, &flowcontrolv1.PriorityLevelConfigurationList{}, &rbacv1.ClusterRoleBindingList{}} {
		if err := admin.List(t.Context(), list, client.HasLabels{owned.Label}); err != nil {
			t.Error(err)
		} else if left := meta.LenList(list); left != 0 {
			t.Errorf("%T: %d left", list, left)
		}
	}
}

func TestForbiddenIsTheAPIServersOwnAnswer(t *testing.T) {
	site, other, _ := realKube(t)
	h := armAt(t, site, Spec{ID: "none", Target: Kubernetes, Kind: Forbidden, Match: Match{Group: "rbac.authorization.k8s.io"}})
	if got := flood(t, site.Kubernetes, 3); got[403] != 3 {
		t.Errorf("answers %v, want three times 403", got)
	}
	if got := flood(t, other, 3); got[200] != 3 {
		t.Errorf("another user's answers %v, want 200 for all", got)
	}
	remove(t, h)
	wantCounts(t, h, 3, 3)
	if got := flood(t, site.Kubernetes, 3); got[200] != 3 {
		t.Errorf("answers after removal %v, want 200 for all", got)
	}
}
