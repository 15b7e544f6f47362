package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	goredis "github.com/redis/go-redis/v9"

	"github.com/stormproof/stormproof/harness/internal/process"
)

// bringUp starts a topology of real servers in a temporary folder, and proves at the end
// that nothing of it is left.
func bringUp(t *testing.T, opt TopologyOptions) *Topology {
	t.Helper()
	began := time.Now()
	top, err := StartTopology(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s up in %s", opt.Topology, time.Since(began).Round(time.Millisecond))
	left := traces(t, top)
	t.Cleanup(func() {
		if err := top.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		left()
	})
	return top
}

// traces remembers what a topology has, and returns a check that nothing of it is left.
func traces(t *testing.T, top *Topology) func() {
	t.Helper()
	type trace struct {
		pid   int
		start string
		ports []int
	}
	var all []trace
	note := func() {
		for _, n := range top.nodes {
			pid := n.child.running().PID()
			start, err := process.StartTime(pid)
			if err != nil {
				t.Fatal(err)
			}
			tr := trace{pid: pid, start: start, ports: []int{n.child.port.Number}}
			if n.bus != nil {
				tr.ports = append(tr.ports, n.bus.Number)
			}
			all = append(all, tr)
		}
	}
	note()
	dir := top.dir
	return func() {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the folder %s is left: %v", dir, err)
		}
		for _, tr := range all {
			if start, err := process.StartTime(tr.pid); err == nil && start == tr.start {
				t.Errorf("process %d still runs", tr.pid)
			}
			for _, port := range tr.ports {
				l, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
				if err != nil {
					t.Errorf("port %d is not free: %v", port, err)
					continue
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func client(t *testing.T, top *Topology) goredis.UniversalClient {
	t.Helper()
	c, err := top.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// acknowledged writes a key until a replica has it, too: right after a change of masters a
// client may still ask the old one. In a cluster, WAIT must go to the key's own master.
func acknowledged(ctx context.Context, c goredis.UniversalClient, key, value string) error {
	return await(ctx, key+" to be written to two nodes", func(ctx context.Context) (string, error) {
		var one goredis.Cmdable = c
		if cluster, ok := c.(*goredis.ClusterClient); ok {
			master, err := cluster.MasterForKey(ctx, key)
			if err != nil {
				return "", err
			}
			one = master
		}
		pipe := one.Pipeline()
		pipe.Set(ctx, key, value, 0)
		wait := pipe.Do(ctx, "WAIT", 1, 5000)
		if _, err := pipe.Exec(ctx); err != nil {
			return "", err
		}
		if n, err := wait.Int(); err != nil || n == 0 {
			return "no replica confirmed it", err
		}
		return "", nil
	})
}

// read returns when a client sees the value: it may take a while to find the new master, but
// must never see another value.
func read(ctx context.Context, c goredis.UniversalClient, key, want string) error {
	return await(ctx, key+" to be readable", func(ctx context.Context) (string, error) {
		got, err := c.Get(ctx, key).Result()
		if err == nil && got != want {
			err = fmt.Errorf("%w: %s is %q, not %q", errHopeless, key, got, want)
		}
		return "", err
	})
}

func roles(nodes []Node) map[string]int {
	count := map[string]int{}
	for _, n := range nodes {
		role := n.Role
		if !n.Up {
			role += " down"
		}
		count[role]++
	}
	return count
}

func TestTopologyFailsOverAndKeepsWhatWasConfirmed(t *testing.T) {
	watched, sharded := map[string]int{Master: 1, Replica: 2, Sentinel: 3}, map[string]int{Master: 3, Replica: 3}
	tests := map[string]struct {
		opt   TopologyOptions
		roles map[string]int
		also  func(t *testing.T, top *Topology, c goredis.UniversalClient)
	}{
		"sentinel":                         {TopologyOptions{Topology: Sentinel}, watched, losesOneOfEachRole},
		"sentinel with TLS and a password": {TopologyOptions{Topology: Sentinel, TLS: true, Password: "se-cret_1"}, watched, nil},
		"cluster":                          {TopologyOptions{Topology: Cluster}, sharded, movesASlot},
		"cluster with TLS and a password":  {TopologyOptions{Topology: Cluster, TLS: true, Password: "se-cret_1"}, sharded, movesASlot},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, ctx := NewWithT(t), t.Context()
			top := bringUp(t, tc.opt)
			g.Expect(roles(top.Nodes(ctx))).To(Equal(tc.roles))
			c := client(t, top)
			if tc.also != nil {
				tc.also(t, top, c)
			}
			g.Expect(acknowledged(ctx, c, "k", "1")).To(Succeed())

			before, err := top.pick(ctx, Pick{Key: "k"})
			g.Expect(err).NotTo(HaveOccurred())
			heir, err := top.Crash(ctx, "k")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(heir.Role).To(Equal(Master))
			g.Expect(heir.Addr).NotTo(Equal(before.addr()))
			g.Expect(read(ctx, c, "k", "1")).To(Succeed())
			g.Expect(roles(top.Nodes(ctx))).To(HaveKeyWithValue("master down", 1))
			g.Expect(top.Revive(ctx, Master, true)).To(HaveLen(1))
			g.Expect(top.WaitHealthy(ctx)).To(Succeed())
			g.Expect(roles(top.Nodes(ctx))).To(Equal(tc.roles))

			g.Expect(acknowledged(ctx, c, "k", "2")).To(Succeed())
			next, err := top.Failover(ctx, "k")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(next.Role).To(Equal(Master))
			g.Expect(next.Addr).NotTo(Equal(heir.Addr))
			g.Expect(read(ctx, c, "k", "2")).To(Succeed())
		})
	}
}

// losesOneOfEachRole ends a replica and a sentinel, which must not cost a master.
func losesOneOfEachRole(t *testing.T, top *Topology, _ goredis.UniversalClient) {
	g, ctx := NewWithT(t), t.Context()
	master, err := top.pick(ctx, Pick{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = top.Shutdown(ctx, Pick{Role: Replica})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = top.Kill(ctx, Pick{Role: Sentinel})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(roles(top.Nodes(ctx))).To(Equal(map[string]int{Master: 1, Replica: 1, "replica down": 1, Sentinel: 2, "sentinel down": 1}))

	g.Expect(top.Revive(ctx, Replica, false)).To(HaveLen(1))
	g.Expect(top.Revive(ctx, "", true)).To(HaveLen(1), "the sentinel is what is left")
	_, err = top.Revive(ctx, "", true)
	g.Expect(err).To(MatchError(ContainSubstring("no node is down")))
	g.Expect(top.WaitHealthy(ctx)).To(Succeed())
	g.Expect(top.pick(ctx, Pick{})).To(BeIdenticalTo(master))
}

// movesASlot sees ASK in the middle of a move, MOVED after it, and the data where it belongs.
func movesASlot(t *testing.T, top *Topology, c goredis.UniversalClient) {
	g, ctx := NewWithT(t), t.Context()
	g.Expect(acknowledged(ctx, c, "{tag}a", "moved")).To(Succeed())
	from, err := top.pick(ctx, Pick{Key: "{tag}a"})
	g.Expect(err).NotTo(HaveOccurred())
	moved, err := top.MoveSlot(ctx, "{tag}a", func(ctx context.Context) error {
		g.Expect(from.client.Get(ctx, "{tag}a").Val()).To(Equal("moved"), "what has not gone yet is still served")
		g.Expect(goredis.HasErrorPrefix(from.client.Get(ctx, "{tag}b").Err(), "ASK")).To(BeTrue())
		return c.Set(ctx, "{tag}c", "asked", 0).Err()
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(moved.From).To(Equal(from.addr()))
	g.Expect(goredis.HasErrorPrefix(from.client.Get(ctx, "{tag}a").Err(), "MOVED")).To(BeTrue())
	g.Expect(read(ctx, c, "{tag}a", "moved")).To(Succeed())
	g.Expect(read(ctx, c, "{tag}c", "asked")).To(Succeed())
	to, err := top.pick(ctx, Pick{Key: "{tag}a"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(to.addr()).To(Equal(moved.To))
}

func TestStandaloneWithTLSAndAPasswordHasNothingToFailOverTo(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	top := bringUp(t, TopologyOptions{TLS: true, Password: "se-cret_1"})
	g.Expect(top.Nodes(ctx)).To(Equal([]Node{{Role: Master, Addr: top.Addrs[0], Up: true}}))
	c := client(t, top)
	g.Expect(c.Set(ctx, "k", "v", 0).Err()).To(Succeed())
	// Neither without TLS nor without the password.
	g.Expect(ping(ctx, top.Addrs[0], top.Password)).NotTo(Succeed())
	stranger := peer{addr: top.Addrs[0], tls: top.nodes[0].child.peer.tls}
	_, err := stranger.command(ctx, "GET", "k")
	g.Expect(err).To(BeAssignableToTypeOf(serverError("")))

	_, err = top.Failover(ctx, "k")
	g.Expect(err).To(MatchError(errNoFailover))
	_, err = top.Crash(ctx, "k")
	g.Expect(err).To(MatchError(errNoFailover))
	_, err = top.MoveSlot(ctx, "k", nil)
	g.Expect(err).To(MatchError(ContainSubstring("has no slots to move")))
	for _, role := range []string{Replica, Sentinel, "king"} {
		_, err = top.Kill(ctx, Pick{Role: role})
		g.Expect(err).To(MatchError(ContainSubstring(role)))
	}

	g.Expect(top.Kill(ctx, Pick{})).To(Equal(Node{Role: Master, Addr: top.Addrs[0]}))
	_, err = top.Kill(ctx, Pick{})
	g.Expect(err).To(MatchError(ContainSubstring("is down already")))
	g.Expect(top.Revive(ctx, Master, true)).To(HaveLen(1))
	g.Expect(top.WaitHealthy(ctx)).To(Succeed())
	g.Expect(c.Exists(ctx, "k").Val()).To(BeZero(), "a crash loses what was not saved")
}

func TestTopologyThatCannotBeIsRefusedAndLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	broken := filepath.Join(t.TempDir(), "redis-server")
	if err := os.WriteFile(broken, []byte(failing), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		opt  TopologyOptions
		want string
	}{
		"a password that sentinels would write wrongly": {TopologyOptions{Topology: Sentinel, Password: "se cret"}, "letters, digits"},
		"an old server cannot choose its bus port": {TopologyOptions{Topology: Cluster, Binary: &Binary{Path: "/old/redis-server", Version: "6.2.14"}},
			"needs version 7 or later, and /old/redis-server is 6.2.14"},
		"an embedded server has no sentinels": {TopologyOptions{Topology: Sentinel, Kind: Embedded}, "use --redis=process, or --redis-topology=standalone"},
		"nor have containers":                 {TopologyOptions{Topology: Cluster, Kind: Container}, "--redis=container was asked for"},
		"an unknown topology": {TopologyOptions{Topology: "ring", Binary: &Binary{Path: broken, Version: "7.0.0"}},
			"use standalone, sentinel, cluster"},
		"a server that ends at once": {TopologyOptions{Topology: Sentinel, Binary: &Binary{Path: broken, Version: "7.0.0"}},
			"FATAL CONFIG FILE ERROR"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			_, err := StartTopology(t.Context(), tc.opt)
			g.Expect(err).To(MatchError(ContainSubstring(tc.want)))
			g.Expect(filepath.Glob(filepath.Join(temp, "stormproof-redis-*"))).To(BeEmpty())
		})
	}
}

func TestWaitForAWholeSetEndsWhenAServerDied(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	top := bringUp(t, TopologyOptions{})
	top.nodes[0].child.running().Kill() // not by us, as far as the topology knows
	began := time.Now()
	err := top.WaitHealthy(ctx)
	g.Expect(err).To(MatchError(errHopeless))
	g.Expect(err).To(MatchError(And(ContainSubstring("a healthy standalone"), ContainSubstring(top.Addrs[0]+" ended"))))
	g.Expect(time.Since(began)).To(BeNumerically("<", changeTimeout/2))
}

func TestClusterIsReadAsItsNodesWriteIt(t *testing.T) {
	const said = "aaa 127.0.0.1:1@2,host myself,master - 0 5 1 connected 0-5460 7000 [5-<-bbb]\n" +
		"bbb 127.0.0.1:3@4 slave aaa 0 5 1 connected\n"
	pair := func(change func(m []member)) []member {
		var all []member
		for i := range clusterMasters {
			id := strconv.Itoa(i)
			all = append(all, member{id: "m" + id, addr: "m" + id, flags: []string{Master}, master: "-", linked: true, ranges: []string{id}},
				member{id: "r" + id, addr: "r" + id, flags: []string{"slave"}, master: "m" + id, linked: true})
		}
		change(all)
		return all
	}
	got, err := parseMembers(said)
	if err != nil {
		t.Fatal(err)
	}
	if m := got[0]; m.id != "aaa" || m.addr != "127.0.0.1:1" || !m.is("myself") || m.owns() != 5462 || !m.has(7000) || m.has(5461) {
		t.Errorf("got %+v", m)
	}
	if m := got[1]; m.master != "aaa" || m.owns() != 0 || !m.linked {
		t.Errorf("got %+v", m)
	}
	if _, err := parseMembers("aaa 127.0.0.1:1@2 master\n"); err == nil {
		t.Error("half a line was read")
	}
	tests := map[string]struct {
		change func(m []member)
		want   string
	}{
		"a whole cluster":               {func([]member) {}, ""},
		"a node that fails":             {func(m []member) { m[3].flags = append(m[3].flags, "fail?") }, "r1 is slave,fail?, linked true"},
		"a node that is not linked":     {func(m []member) { m[0].linked = false }, "m0 is master, linked false"},
		"a replica of the wrong master": {func(m []member) { m[1].master = "m1" }, "m0 has 0 replicas and 1 slots"},
		"a master without slots":        {func(m []member) { m[4].ranges = nil }, "m2 has 1 replicas and 0 slots"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := unpaired(pair(tc.change)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
